package pipeline.demo

import pipeline.core.Bundle
import pipeline.core.Engine
import pipeline.core.FileStore
import pipeline.core.PhotoDecoder

/** Holds what the app puts together; tests put in folders, slow engines and listening decoders. */
internal class Parts(
    val files: FileStore,
    val decoder: PhotoDecoder = BitmapDecoder(),
    val engine: (Bundle) -> Engine = { InterpreterEngine(it.model, THREADS) },
) {
    private companion object {
        // More threads gain little on phones' unequal cores and cost battery.
        const val THREADS = 2
    }
}

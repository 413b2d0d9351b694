package pipeline.demo

import android.content.res.Resources

/** Words the small print: times, the model with its hash, its proof, the runtime. */
internal class Details(private val resources: Resources) {
    fun of(model: LoadedModel, answer: Answer?): String {
        val bundle = model.bundle
        val engine = model.classifier.engine
        val lines = mutableListOf<String>()
        if (answer != null) {
            lines += resources.getString(
                R.string.times, answer.inferenceMs, answer.preprocessMs, answer.decodeMs,
            )
        }
        lines += resources.getString(
            R.string.model, bundle.description.name.ifEmpty { bundle.file }, bundle.modelSha256.take(SHOWN_DIGITS),
        )
        lines += resources.getString(if (bundle.proven) R.string.proven else R.string.unproven)
        lines += resources.getQuantityString(R.plurals.runtime, engine.threads, engine.runtimeVersion, engine.threads)
        return lines.joinToString("\n")
    }

    private companion object {
        const val SHOWN_DIGITS = 12
    }
}

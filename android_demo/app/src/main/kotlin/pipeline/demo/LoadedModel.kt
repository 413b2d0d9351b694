package pipeline.demo

import pipeline.core.Bundle
import pipeline.core.Classifier
import pipeline.core.Refusal

/** Holds the one model of this process, ready to answer. */
class LoadedModel(val bundle: Bundle, val classifier: Classifier)

/** Says how far the model is; [Refused] holds one sentence for a person. */
sealed class ModelState {
    object Loading : ModelState()

    class Ready(val model: LoadedModel) : ModelState()

    class Refused(val sentence: String) : ModelState()
}

/** Loads the model once a process, on the worker; [promisedRuntime] bounds its operators. */
internal class ModelLoader(
    private val worker: Worker,
    private val promisedRuntime: String,
    private val parts: () -> Parts,
) {
    val state = Live<ModelState>(ModelState.Loading)
    private var started = false

    // Touched on the worker only.
    private var outcome: ModelState = ModelState.Loading

    /** Starts loading unless it was started before. */
    fun start() {
        if (started) return
        started = true
        worker.run({ outcome() }) { state.value = it }
    }

    /** Returns the model, loading it first where that is still to do; for the worker. */
    fun onWorker(): LoadedModel = when (val known = outcome()) {
        is ModelState.Ready -> known.model
        is ModelState.Refused -> throw Refusal(known.sentence)
        ModelState.Loading -> error("loading never ends in loading")
    }

    private fun outcome(): ModelState {
        if (outcome == ModelState.Loading) outcome = load()
        return outcome
    }

    private fun load(): ModelState = try {
        val parts = parts()
        val bundle = Bundle.open(parts.files, promisedRuntime)
        ModelState.Ready(LoadedModel(bundle, Classifier(bundle.description, parts.engine(bundle), parts.decoder)))
    } catch (refusal: Refusal) {
        ModelState.Refused(refusal.message.orEmpty())
    }
}

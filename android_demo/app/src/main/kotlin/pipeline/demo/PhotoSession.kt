package pipeline.demo

import android.graphics.Bitmap
import android.os.Bundle
import java.io.InputStream
import java.util.UUID
import pipeline.core.PhotoProblem
import pipeline.core.PhotoRefusal
import pipeline.core.Refusal

/**
 * Leads one screen's photo from its source to its answer; for the main thread.
 *
 * It outlives rotations with the activity, and the end of the process through [save]: the photo
 * then comes from its private copy.
 */
internal class PhotoSession(
    private val worker: Worker,
    private val model: ModelLoader,
    private val store: PhotoStore,
    saved: Bundle? = null,
) {
    val state = Live<PhotoState>(PhotoState.None)

    /** Names the file that the camera app was asked to fill, while it is asked. */
    var capture: String? = saved?.getString(CAPTURE)

    // Only the newest request may change the state; answers to earlier photos come too late.
    private var request = 0
    private var photo: String? = null

    init {
        saved?.let(::restore)
    }

    /** Fetches a photo, keeps it and classifies it; [done] runs on the worker once it is fetched. */
    fun show(source: () -> InputStream?, done: () -> Unit = {}) {
        val name = UUID.randomUUID().toString()
        val mine = begin(name)
        worker.run({
            val bytes = catching { store.keep(name, source) }
            done()
            bytes.then { answer(mine, name, it) }
        }) { finish(mine, it) }
    }

    /** Shows a failure that happened before there was a photo, in place of what was shown. */
    fun fail(failure: PhotoFailure) {
        begin(null)
        state.value = PhotoState.Failed(Reason.Photo(failure))
    }

    fun save(to: Bundle) {
        to.putString(CAPTURE, capture)
        to.putString(PHOTO, photo)
        when (val now = state.value) {
            is PhotoState.Answered -> to.putBundle(ANSWER, now.answer.save())
            is PhotoState.Failed -> when (val reason = now.reason) {
                is Reason.Photo -> to.putString(FAILURE, reason.failure.name)
                // What the model refused is tried again: another model may be installed by then.
                is Reason.Model -> Unit
            }
            else -> Unit
        }
    }

    /** Forgets the photo for good. */
    fun discard() {
        begin(null)
    }

    private fun begin(name: String?): Int {
        photo?.let { old -> worker.run({ store.delete(old) }) {} }
        photo = name
        state.value = if (name == null) PhotoState.None else PhotoState.Working(name, null)
        return ++request
    }

    private fun restore(saved: Bundle) {
        val name = saved.getString(PHOTO)
        val failure = saved.getString(FAILURE)
        if (failure != null) {
            state.value = PhotoState.Failed(Reason.Photo(PhotoFailure.valueOf(failure)))
        } else if (name != null) {
            photo = name
            val answer = saved.getBundle(ANSWER)?.let(Answer::restore)
            state.value = if (answer == null) PhotoState.Working(name, null) else PhotoState.Answered(name, null, answer)
            val mine = ++request
            worker.run({ again(mine, name, answer) }) { finish(mine, it) }
        }
    }

    // On the worker from here on, but for finish.

    private fun again(mine: Int, name: String, known: Answer?): StepResult<PhotoState> {
        val bytes = store.read(name) ?: return StepResult.Done(PhotoState.None)
        return catching { model.onWorker() }.then { loaded ->
            if (known?.modelSha256 == loaded.bundle.modelSha256) {
                catching { PhotoState.Answered(name, Preview.of(bytes), known) }
            } else {
                answer(mine, name, bytes)
            }
        }
    }

    private fun answer(mine: Int, name: String, bytes: ByteArray): StepResult<PhotoState> = catching {
        val loaded = model.onWorker()
        val preview = Preview.of(bytes)
        if (preview != null) worker.post { look(mine, name, preview) }
        val classified = loaded.classifier.classify(bytes)
        val answer = Answer(
            loaded.bundle.modelSha256, classified.probabilities,
            classified.decodeMs, classified.preprocessMs, classified.inferenceMs,
        )
        PhotoState.Answered(name, preview, answer)
    }

    private fun look(mine: Int, name: String, preview: Bitmap) {
        if (mine == request) state.value = PhotoState.Working(name, preview)
    }

    private fun finish(mine: Int, outcome: StepResult<PhotoState>) {
        if (mine != request) return
        state.value = when (outcome) {
            is StepResult.Done -> outcome.value
            is StepResult.Failed -> PhotoState.Failed(outcome.reason)
        }
    }

    private companion object {
        const val CAPTURE = "capture"
        const val PHOTO = "photo"
        const val ANSWER = "answer"
        const val FAILURE = "failure"
    }
}

/** Holds what a step gave, or why it gave nothing. */
private sealed class StepResult<out T> {
    class Done<T>(val value: T) : StepResult<T>()

    class Failed(val reason: Reason) : StepResult<Nothing>()

    fun <R> then(next: (T) -> StepResult<R>): StepResult<R> = when (this) {
        is Done -> next(value)
        is Failed -> this
    }
}

private fun <T> catching(block: () -> T): StepResult<T> = try {
    StepResult.Done(block())
} catch (failed: PhotoFailed) {
    StepResult.Failed(Reason.Photo(failed.failure))
} catch (refusal: PhotoRefusal) {
    StepResult.Failed(Reason.Photo(PhotoFailure.of(refusal.problem)))
} catch (refusal: Refusal) {
    StepResult.Failed(Reason.Model(refusal.message.orEmpty()))
} catch (_: OutOfMemoryError) {
    StepResult.Failed(Reason.Photo(PhotoFailure.of(PhotoProblem.NO_MEMORY)))
}

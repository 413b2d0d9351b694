package pipeline.demo

import android.graphics.Bitmap
import android.os.Bundle

/** Says how far the one photo of a screen is. */
internal sealed class PhotoState {
    object None : PhotoState()

    class Working(val photo: String, val preview: Bitmap?) : PhotoState()

    class Answered(val photo: String, val preview: Bitmap?, val answer: Answer) : PhotoState()

    class Failed(val reason: Reason) : PhotoState()
}

/** Says why there is no answer: the photo's fault, or the model's own sentence. */
internal sealed class Reason {
    class Photo(val failure: PhotoFailure) : Reason()

    class Model(val sentence: String) : Reason()
}

/** Holds the answer to a photo and which model gave it; times are milliseconds. */
internal class Answer(
    val modelSha256: String,
    val probabilities: FloatArray,
    val decodeMs: Double,
    val preprocessMs: Double,
    val inferenceMs: Double,
) {
    fun save(): Bundle = Bundle().apply {
        putString(MODEL, modelSha256)
        putFloatArray(PROBABILITIES, probabilities)
        putDoubleArray(TIMES_MS, doubleArrayOf(decodeMs, preprocessMs, inferenceMs))
    }

    companion object {
        private const val MODEL = "model_sha256"
        private const val PROBABILITIES = "probabilities"
        private const val TIMES_MS = "times_ms"

        fun restore(saved: Bundle): Answer? {
            val model = saved.getString(MODEL) ?: return null
            val probabilities = saved.getFloatArray(PROBABILITIES) ?: return null
            val (decodeMs, preprocessMs, inferenceMs) = saved.getDoubleArray(TIMES_MS) ?: return null
            return Answer(model, probabilities, decodeMs, preprocessMs, inferenceMs)
        }
    }
}

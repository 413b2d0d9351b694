package pipeline.demo

import android.content.res.Resources
import pipeline.core.PhotoProblem

/** Names everything that can keep a photo from being answered, each with its sentence. */
internal enum class PhotoFailure(private val text: Int) {
    EMPTY(R.string.photo_empty),
    NOT_AN_IMAGE(R.string.photo_not_an_image),
    DAMAGED(R.string.photo_damaged),
    TOO_LARGE(R.string.photo_too_large),
    TOO_MANY_BYTES(R.string.photo_too_many_bytes),
    NO_MEMORY(R.string.photo_no_memory),
    UNREADABLE(R.string.photo_unreadable),
    NOT_KEPT(R.string.photo_not_kept),
    NO_CAMERA(R.string.no_camera),
    NO_PICKER(R.string.no_picker),
    ;

    fun sentence(resources: Resources): String = resources.getString(text)

    companion object {
        fun of(problem: PhotoProblem): PhotoFailure = when (problem) {
            PhotoProblem.EMPTY -> EMPTY
            PhotoProblem.NOT_AN_IMAGE -> NOT_AN_IMAGE
            PhotoProblem.DAMAGED -> DAMAGED
            PhotoProblem.TOO_LARGE -> TOO_LARGE
            PhotoProblem.NO_MEMORY -> NO_MEMORY
        }
    }
}

/** Ends the handling of a photo outside core: it could not be fetched or kept. */
internal class PhotoFailed(val failure: PhotoFailure, cause: Throwable? = null) : Exception(failure.name, cause)

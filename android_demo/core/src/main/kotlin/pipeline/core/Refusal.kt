package pipeline.core

/** Refuses a model or a bundle; the message is one sentence that a person understands. */
class Refusal(message: String, cause: Throwable? = null) : Exception(message, cause)

/** Names why a photo is refused; the app has a sentence for each. */
enum class PhotoProblem {
    EMPTY,
    NOT_AN_IMAGE,
    DAMAGED,
    TOO_LARGE,
    NO_MEMORY,
}

/** Refuses one photo; [detail] is for logs, [problem] for people. */
class PhotoRefusal(val problem: PhotoProblem, val detail: String, cause: Throwable? = null) :
    Exception(detail, cause)

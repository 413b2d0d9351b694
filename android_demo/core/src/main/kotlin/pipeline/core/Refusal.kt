package pipeline.core

/**
 * Refuses a model or a bundle; the message is one sentence that a person understands. [reason]
 * names the check that `pipeline verify` refuses such a bundle by, null where it has none.
 */
class Refusal(message: String, val reason: String?, cause: Throwable? = null) : Exception(message, cause) {
    constructor(message: String, cause: Throwable? = null) : this(message, null, cause)
}

/** Names the checks of a bundle, as `pipeline verify` does. */
object Reason {
    const val READABLE = "readable"
    const val RELEASE = "release"
    const val FILE_NAMES = "file_names"
    const val SPECIAL_FILES = "special_files"
    const val MISSING_FILES = "missing_files"
    const val UNLISTED_FILES = "unlisted_files"
    const val NEEDED_FILES = "needed_files"
    const val CHANGED_FILES = "changed_files"
    const val MANIFEST_PINNED = "manifest_pinned"
    const val OUTCOMES_FOLLOW = "outcomes_follow"
    const val VERDICT_PASSED = "verdict_passed"
    const val CHECKS_COMPLETE = "checks_complete"
    const val CANDIDATE_MODEL = "candidate_model"
    const val LABELS_AGREE = "labels_agree"
    const val RECIPE_AGREES = "recipe_agrees"
    const val GOLDENS_FIT = "goldens_fit"
    const val GOLDEN_PHOTOS = "golden_photos"
    const val GOLDEN_TOLERANCE = "golden_tolerance"
    const val GOLDEN_NEAR_LEVELS = "golden_near_levels"
    const val INPUTS = "inputs"
}

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

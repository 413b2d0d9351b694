package pipeline.core

/** Compares versions of the TensorFlow Lite runtime, numbers between dots: 2.9 is before 2.16.1. */
object RuntimeVersion {
    /** Tells whether [needed] is newer than [present]; what is no version counts as newer. */
    fun isNewer(needed: String, present: String): Boolean {
        val left = parts(needed) ?: return true
        val right = parts(present) ?: return true
        for (i in 0 until maxOf(left.size, right.size)) {
            val difference = left.getOrElse(i) { 0 } - right.getOrElse(i) { 0 }
            if (difference != 0) return difference > 0
        }
        return false
    }

    private fun parts(version: String): List<Int>? =
        version.split('.').map { it.toIntOrNull() ?: return null }
}

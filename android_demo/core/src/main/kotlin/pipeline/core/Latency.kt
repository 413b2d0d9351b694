package pipeline.core

/** Summarizes latencies in milliseconds. */
object Latency {
    /** Returns the [percent] percentile by linear interpolation, as NumPy's default does. */
    fun percentile(valuesMs: List<Double>, percent: Double): Double {
        require(valuesMs.isNotEmpty()) { "no latencies" }
        val sorted = valuesMs.sorted()
        val place = percent / 100.0 * (sorted.size - 1)
        val below = place.toInt()
        val above = minOf(below + 1, sorted.size - 1)
        return sorted[below] + (sorted[above] - sorted[below]) * (place - below)
    }
}

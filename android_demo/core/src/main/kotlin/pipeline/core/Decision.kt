package pipeline.core

/** Holds one class with its probability. */
class Scored(val label: String, val fullName: String, val probability: Float)

/**
 * Holds what is said of an answer: all classes, most probable first; whether the first is too
 * weak to be named; and the classes that reach a threshold of their own.
 */
class Judgement(
    val ranked: List<Scored>,
    val unsure: Boolean,
    val overThreshold: List<Scored>,
) {
    /** Returns the [count] most probable classes. */
    fun top(count: Int): List<Scored> = ranked.take(count)
}

/**
 * Holds how a bundle wants answers to be read: unsure below [unsureBelow], and a class named
 * whenever it reaches its own of [thresholds]. Without them the most probable class is the answer.
 */
class Decision(val unsureBelow: Float? = null, val thresholds: Map<String, Float> = emptyMap()) {
    /** Judges one answer; classes of equal probability keep the model's order. */
    fun judge(labels: Labels, probabilities: FloatArray): Judgement {
        require(labels.names.size == probabilities.size) {
            "${probabilities.size} probabilities for ${labels.names.size} labels"
        }
        val scored = labels.names.mapIndexed { i, name -> Scored(name, labels.fullName(name), probabilities[i]) }
        val ranked = scored.sortedByDescending { it.probability }
        return Judgement(
            ranked = ranked,
            unsure = unsureBelow != null && ranked.first().probability < unsureBelow,
            overThreshold = ranked.filter { one -> thresholds[one.label]?.let { one.probability >= it } ?: false },
        )
    }
}

package pipeline.core

/** Lists the class names in the model's output order; [fullNames] maps a name to what people read. */
class Labels(val names: List<String>, val fullNames: Map<String, String> = emptyMap()) {
    /** Returns what a person reads for [name]. */
    fun fullName(name: String): String = fullNames[name] ?: name
}

package pipeline.core

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/** Reads one JSON file of a bundle; whatever is missing or of another type refuses the file. */
class JsonFile(private val file: String, bytes: ByteArray) {
    private val root: JsonObject = reading {
        require(depthOf(bytes) <= MAX_DEPTH) { "nested deeper than $MAX_DEPTH" }
        Json.parseToJsonElement(bytes.toString(Charsets.UTF_8)).jsonObject
    }

    /** Lets [read] take values out of the root object. */
    fun <T> read(read: (JsonObject) -> T): T = reading { read(root) }

    private fun <T> reading(block: () -> T): T =
        try {
            block()
        } catch (error: SerializationException) {
            throw refusal(error)
        } catch (error: IllegalArgumentException) {
            // kotlinx reports a value of another type so.
            throw refusal(error)
        } catch (error: NoSuchElementException) {
            throw refusal(error)
        }

    private fun refusal(error: Exception) = Refusal("$file is not the JSON it should be.", Reason.READABLE, error)

    private companion object {
        /** Deeper than any file of a bundle, and far from what a parser's stack holds. */
        const val MAX_DEPTH = 64

        /** Returns how deep arrays and objects nest, without parsing: a bracket in a text nests nothing. */
        fun depthOf(bytes: ByteArray): Int {
            var depth = 0
            var deepest = 0
            var inText = false
            var escaped = false
            for (byte in bytes) {
                val character = byte.toInt().toChar()
                when {
                    inText -> {
                        if (character == '"' && !escaped) inText = false
                        escaped = character == '\\' && !escaped
                    }
                    character == '"' -> inText = true
                    character == '[' || character == '{' -> deepest = maxOf(deepest, ++depth)
                    character == ']' || character == '}' -> depth--
                }
            }
            return deepest
        }
    }
}

internal fun JsonObject.text(key: String): String =
    getValue(key).jsonPrimitive.also { require(it.isString) { "$key is no text" } }.content

internal fun JsonObject.number(key: String): Double = getValue(key).jsonPrimitive.content.toDouble()

internal fun JsonObject.texts(key: String): List<String> =
    getValue(key).jsonArray.map { element -> element.jsonPrimitive.also { require(it.isString) }.content }

internal fun JsonObject.part(key: String): JsonObject = getValue(key).jsonObject

/** Returns the value of [key], or null where it is absent or JSON's null. */
internal fun JsonObject.optional(key: String): JsonElement? = get(key)?.takeIf { it !is JsonNull }

internal fun JsonObject.numbers(): Map<String, Float> =
    mapValues { (_, value: JsonElement) -> (value as JsonPrimitive).content.toFloat() }

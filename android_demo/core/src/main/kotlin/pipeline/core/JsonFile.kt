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
    private val root: JsonObject = reading { Json.parseToJsonElement(bytes.toString(Charsets.UTF_8)).jsonObject }

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

    private fun refusal(error: Exception) = Refusal("$file is not the JSON it should be.", error)
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

package pipeline.core

import java.io.File
import java.nio.file.Files
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/**
 * Breaks copies of the small proven bundle as the table says that Python's tests read too. [reason]
 * and [sentence] are those of the refusal; [app] tells whether core is to refuse it.
 */
class BrokenBundle(private val record: JsonObject) {
    val name = record.text("name")
    val reason = record.text("reason")
    val sentence = record.optional("sentence")?.jsonPrimitive?.content
    val app = record.getValue("app").jsonPrimitive.boolean

    /** Writes the broken bundle to [folder]. */
    fun make(folder: File): File {
        BUNDLE.copyRecursively(folder, overwrite = true)
        for (edit in record.getValue("edits").jsonArray) apply(edit.jsonObject, folder)
        return folder
    }

    private fun apply(edit: JsonObject, folder: File) {
        val kind = edit.keys.first()
        val file = File(folder, (edit.getValue(kind) as? JsonPrimitive)?.content ?: ".")
        when (kind) {
            "delete" -> check(file.delete())
            "write" -> file.also { it.parentFile.mkdirs() }.writeText(edit.text("text"))
            "nest" -> edit.getValue("depth").jsonPrimitive.int.let { file.writeText("[".repeat(it) + "]".repeat(it)) }
            "flip" -> {
                val bytes = file.readBytes()
                val place = (bytes.size * edit.getValue("at").jsonPrimitive.double).toInt()
                bytes[place] = (bytes[place].toInt() xor 1).toByte()
                file.writeBytes(bytes)
            }
            "link" -> {
                file.delete()
                Files.createSymbolicLink(file.toPath(), File(edit.text("to")).toPath())
            }
            "copy" -> file.copyTo(File(folder, edit.text("as")), overwrite = true)
            "other_model" -> OTHER_MODEL.copyTo(file, overwrite = true)
            "replace" -> {
                val text = file.readText()
                check(edit.text("text") in text)
                file.writeText(text.replaceFirst(edit.text("text"), edit.text("by")))
            }
            "json" -> file.writeText(changed(parse(file), edit.getValue("at").jsonArray.toList(), edit, folder).toString())
            "list" -> list(folder, edit.getValue("list").jsonArray.map { it.jsonPrimitive.content })
            "seal" -> seal(folder)
            else -> error("no such edit: $edit")
        }
    }

    private fun changed(value: JsonElement, path: List<JsonElement>, edit: JsonObject, folder: File): JsonElement {
        if (path.isEmpty()) return edit.getValue("to").let { to ->
            val text = (to as? JsonPrimitive)?.takeIf { it.isString }?.content.orEmpty()
            if (text.startsWith(HASH_OF)) JsonPrimitive(Hash.of(File(folder, text.removePrefix(HASH_OF)).readBytes())) else to
        }
        val key = path.first().jsonPrimitive
        val removes = path.size == 1 && "remove" in edit
        fun inner(one: JsonElement) = changed(one, path.drop(1), edit, folder)
        if (value is JsonObject) {
            val name = key.content
            return JsonObject(if (removes) value - name else value + (name to inner(value[name] ?: JsonPrimitive(0))))
        }
        val all = value.jsonArray
        // In a list a text is the name to look for.
        val place = if (key.isString) all.indexOfFirst { it.jsonObject.text("name") == key.content } else key.int
        check(place in all.indices) { "nothing at $path" }
        return JsonArray(
            if (removes) all.filterIndexed { i, _ -> i != place } else all.mapIndexed { i, one -> if (i == place) inner(one) else one },
        )
    }

    private fun list(folder: File, names: List<String>) {
        val manifest = parse(File(folder, MANIFEST)).jsonObject
        val files = manifest.part("files") + names.associateWith { name ->
            val bytes = File(folder, name).readBytes()
            JsonObject(mapOf("sha256" to JsonPrimitive(Hash.of(bytes)), "size_bytes" to JsonPrimitive(bytes.size)))
        }
        File(folder, MANIFEST).writeText(JsonObject(manifest + ("files" to JsonObject(files))).toString())
    }

    private fun seal(folder: File) {
        val manifest = parse(File(folder, MANIFEST)).jsonObject
        val others = JsonObject(manifest + ("files" to JsonObject(manifest.part("files") - VERDICT)))
        val verdict = parse(File(folder, VERDICT)).jsonObject
        val inputs = verdict.part("inputs") + ("manifest" to JsonPrimitive(CanonicalJson.digest(others)))
        File(folder, VERDICT).writeText(JsonObject(verdict + ("inputs" to JsonObject(inputs))).toString())
        list(folder, listOf(VERDICT))
    }

    companion object {
        private const val MANIFEST = "manifest.json"
        private const val VERDICT = "verdict.json"
        private const val HASH_OF = "sha256:"
        private val HOME = File("../checks/broken")
        private val OTHER_MODEL = File(HOME, "other.tflite")

        /** The bundle that is whole. */
        val BUNDLE = File(HOME, "bundle")

        /** Returns the table. */
        fun all(): List<BrokenBundle> =
            parse(File(HOME, "cases.json")).jsonObject.getValue("cases").jsonArray.map { BrokenBundle(it.jsonObject) }

        private fun parse(file: File): JsonElement = Json.parseToJsonElement(file.readText())
    }
}

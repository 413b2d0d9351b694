package pipeline.host

import java.io.BufferedOutputStream
import java.io.File
import java.io.IOException
import java.io.OutputStream
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.add
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject
import pipeline.core.Classifier
import pipeline.core.Engine
import pipeline.core.FolderFiles
import pipeline.core.Hash
import pipeline.core.ModelDescription
import pipeline.core.PhotoRefusal
import pipeline.core.Refusal
import pipeline.core.Upright
import pipeline.demo.InterpreterEngine

/** Answers a list of image files as the app would, and writes what it answered. */
class Record(request: JsonObject) {
    private val model = File(request.getValue("model").jsonPrimitive.content)
    private val threads = request.getValue("threads").jsonPrimitive.int
    private val images = request.getValue("images").jsonArray.map { it.jsonObject }
    private val collectBad = request.getValue("collect_bad").jsonPrimitive.boolean
    private val tensors = request["tensors"]?.jsonPrimitive?.contentOrNull
    private val engine = (request["engine"] as? JsonArray)?.map { it.jsonPrimitive.content }

    private class Answer(val index: Int, val probabilities: FloatArray, val latencyMs: Double, val pixelsSha256: String?)

    private val answers = mutableListOf<Answer>()
    private val bad = mutableListOf<Pair<Int, String>>()

    /** Answers every image; prints progress. @throws Refusal the model, or an image where none may be bad. */
    fun run(): JsonObject {
        val bytes = FolderFiles(model.absoluteFile.parentFile).map(model.name)
        val description = ModelDescription.read(bytes)
        val opened: Engine = engine?.let { ProcessEngine(it + listOf(model.path, "$threads"), threads) }
            ?: InterpreterEngine(bytes, threads)
        Classifier(description, opened, ImageIoDecoder()).use { classifier ->
            tensors?.let { BufferedOutputStream(File(it).outputStream()) }.use { kept ->
                images.forEachIndexed { index, image ->
                    one(index, image, classifier, kept)
                    println("""{"done":${index + 1},"total":${images.size}}""")
                }
            }
        }
        return result(description, Hash.of(bytes), opened.runtimeVersion)
    }

    private fun one(index: Int, image: JsonObject, classifier: Classifier, kept: OutputStream?) {
        val path = image.getValue("path").jsonPrimitive.content
        val refused = try {
            val photo = File(path).readBytes()
            val expected = image["sha256"]?.jsonPrimitive?.contentOrNull
            if (expected != null && Hash.of(photo) != expected) throw Refusal("the image changed since the dataset was prepared")
            answer(index, photo, classifier, kept)
            return
        } catch (error: PhotoRefusal) {
            error.detail
        } catch (error: IOException) {
            "cannot read the image file: ${error.message}"
        }
        if (!collectBad) throw Refusal("$path: $refused")
        bad += index to refused
    }

    private fun answer(index: Int, photo: ByteArray, classifier: Classifier, kept: OutputStream?) {
        val pixels = classifier.pixels(photo)
        if (answers.isEmpty() && engine == null) repeat(WARM_UP) { classifier.classifyPixels(pixels) }
        val classified = classifier.classifyPixels(pixels)
        val description = classifier.description
        var decodedSha256: String? = null
        if (kept != null) {
            val input = description.image.inputTensor(pixels, description.input)
            kept.write(ByteArray(input.remaining()).also { input.get(it) })
            decodedSha256 = Upright.of(photo, classifier.decoder, description.image.maxImagePx).sha256
        }
        val latencyMs = (classifier.engine as? ProcessEngine)?.latencyMs ?: classified.inferenceMs
        answers += Answer(index, classified.probabilities, latencyMs, decodedSha256)
    }

    private fun result(description: ModelDescription, sha256: String, version: String) = buildJsonObject {
        put("model_sha256", sha256)
        put("runtime_version", version)
        putJsonArray("labels") { description.labels.names.forEach { add(it) } }
        putJsonObject("image") {
            put("height_px", description.image.heightPx)
            put("width_px", description.image.widthPx)
            put("mean", description.image.mean)
            put("std", description.image.std)
        }
        putJsonArray("answers") {
            answers.forEach { answer ->
                addJsonObject {
                    put("index", answer.index)
                    putJsonArray("probabilities") { answer.probabilities.forEach { add(it) } }
                    put("latency_ms", answer.latencyMs)
                    answer.pixelsSha256?.let { put("pixels_sha256", it) }
                }
            }
        }
        putJsonArray("bad") {
            bad.forEach { (index, what) ->
                addJsonObject {
                    put("index", index)
                    put("what", what)
                }
            }
        }
    }

    companion object {
        private const val WARM_UP = 3

        fun parse(file: File): Record = Record(Json.parseToJsonElement(file.readText()).jsonObject)
    }
}

package pipeline.core

import java.io.FileNotFoundException
import java.nio.ByteBuffer
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonPrimitive

/** Gives the files of the model folder; paths are relative to it, with forward slashes. */
interface FileStore {
    /** Lists the names directly in [folder]; the empty name is the model folder itself. */
    fun list(folder: String): List<String>

    /** @throws FileNotFoundException there is no such file. */
    fun read(path: String): ByteArray

    /** Returns a whole file as a direct buffer. @throws FileNotFoundException there is none. */
    fun map(path: String): ByteBuffer
}

/**
 * Holds an installed model that was found whole. [proven] tells whether it came with its proof;
 * a bare `.tflite` did not, and has no [goldens].
 */
class Bundle(
    val file: String,
    val model: ByteBuffer,
    val modelSha256: String,
    val description: ModelDescription,
    val decision: Decision,
    val goldens: Goldens?,
    val recipe: String?,
    val proven: Boolean,
) {
    companion object {
        private const val SUFFIX = ".tflite"
        private const val LABELS = "labels.txt"
        private const val MANIFEST = "manifest.json"
        private const val VERDICT = "verdict.json"
        private const val PASS = "pass"

        /**
         * Opens the model folder, and refuses what cannot be what was proven.
         *
         * @param runtimeVersion the newest TensorFlow Lite whose operators the app promises.
         * @throws Refusal with one sentence; the build and `pipeline android install` say the same.
         */
        fun open(files: FileStore, runtimeVersion: String): Bundle {
            val names = files.list("")
            val models = names.filter { it.endsWith(SUFFIX) }.sorted()
            if (models.isEmpty()) {
                throw Refusal("No model is installed: run \"pipeline android install BUNDLE\".")
            }
            if (models.size > 1) {
                throw Refusal(
                    "There are ${models.size} $SUFFIX files where one model belongs: ${models.joinToString(", ")}.",
                )
            }
            val file = models.single()
            if (MANIFEST in names) return openProven(files, file, runtimeVersion)
            if (listOf(LABELS, VERDICT, "recipe.json", Goldens.FOLDER).any { it in names }) {
                throw Refusal("The bundle is not whole: $MANIFEST is missing.")
            }
            return openBare(files, file, runtimeVersion)
        }

        private fun openBare(files: FileStore, file: String, runtimeVersion: String): Bundle {
            val model = files.map(file)
            val description = ModelDescription.read(model)
            description.minRuntime?.let { refuseNewer(it, runtimeVersion) }
            return Bundle(
                file, model, Hash.of(model), description, Decision(), goldens = null, recipe = null, proven = false,
            )
        }

        private fun openProven(files: FileStore, file: String, runtimeVersion: String): Bundle {
            val manifest = JsonFile(MANIFEST, files.read(MANIFEST))
            val recorded = manifest.read { root -> root.part("files").mapValues { (_, value) -> (value as JsonObject).text("sha256") } }
            if (file !in recorded) throw Refusal("The bundle was changed after it was proven: $file differs from $MANIFEST.")
            val model = wholeFile(file) { files.map(file) }
            val modelSha256 = Hash.of(model)
            for ((name, sha256) in recorded.toSortedMap()) {
                val found = if (name == file) modelSha256 else Hash.of(wholeFile(name) { files.read(name) })
                if (found != sha256) throw Refusal("The bundle was changed after it was proven: $name differs from $MANIFEST.")
            }
            checkVerdict(JsonFile(VERDICT, wholeFile(VERDICT) { files.read(VERDICT) }), modelSha256)
            val maxImagePx = manifest.read { it.part("image").number("max_image_px").toLong() }
            val description = ModelDescription.read(model, maxImagePx)
            if (Goldens.FILE !in recorded) throw Refusal("The bundle has no goldens, so the phone cannot prove it.")
            val goldens = Goldens.parse(files.read(Goldens.FILE))
            val own = description.labels.names
            compareLabels(LABELS, linesOf(wholeFile(LABELS) { files.read(LABELS) }), own)
            compareLabels(MANIFEST, manifest.read { it.part("labels").texts("names") }, own)
            compareLabels("goldens.json", goldens.labels, own)
            refuseNewer(manifest.read { it.text("min_runtime") }, runtimeVersion)
            return Bundle(
                file = file,
                model = model,
                modelSha256 = modelSha256,
                description = description,
                decision = manifest.read(::decision),
                goldens = goldens,
                recipe = manifest.read { it.part("recipe").text("quantize") },
                proven = true,
            )
        }

        private fun checkVerdict(verdict: JsonFile, modelSha256: String) {
            val outcome = verdict.read { it.text("outcome") }
            if (outcome != PASS) throw Refusal("The model is not proven: its verdict is $outcome, not $PASS.")
            if (verdict.read { it.part("candidate").text("model_sha256") } != modelSha256) {
                throw Refusal("The verdict belongs to another model.")
            }
        }

        private fun decision(manifest: JsonObject): Decision {
            val stated = manifest.optional("decision") as JsonObject? ?: return Decision()
            return Decision(
                unsureBelow = stated.optional("unsure_below")?.jsonPrimitive?.content?.toFloat(),
                thresholds = (stated.optional("thresholds") as JsonObject?)?.numbers().orEmpty(),
            )
        }

        private fun <T> wholeFile(name: String, read: () -> T): T =
            try {
                read()
            } catch (error: FileNotFoundException) {
                throw Refusal("The bundle is not whole: $name is missing.", error)
            }

        private fun refuseNewer(needed: String, present: String) {
            if (RuntimeVersion.isNewer(needed, present)) {
                throw Refusal("The model needs runtime $needed or newer; the app has $present.")
            }
        }

        private fun compareLabels(file: String, stated: List<String>, own: List<String>) {
            if (stated != own) {
                throw Refusal("The labels are not the model's: $file says ${shown(stated)}; the model says ${shown(own)}.")
            }
        }

        private fun shown(names: List<String>): String =
            names.joinToString(", ", limit = SHOWN_NAMES, truncated = "...")

        private fun linesOf(bytes: ByteArray): List<String> =
            bytes.toString(Charsets.UTF_8).lines().map(String::trim).filter(String::isNotEmpty)

        private const val SHOWN_NAMES = 8
    }
}

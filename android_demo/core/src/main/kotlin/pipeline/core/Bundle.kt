package pipeline.core

import java.io.FileNotFoundException
import java.nio.ByteBuffer
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonPrimitive

/** Gives the files of the model folder; paths are relative to it, with forward slashes. */
interface FileStore {
    /** Lists the names directly in [folder]; the empty name is the model folder itself. */
    fun list(folder: String): List<String>

    /**
     * Lists every file, sorted.
     *
     * @throws Refusal there is anything else than files in folders, such as a link.
     */
    fun all(): List<String>

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
            val contents = BundleContents.open(files)
            val model = contents.model
            val manifest = contents.manifest
            val maxImagePx = manifest.read { it.part("image").number("max_image_px").toLong() }
            val description = ModelDescription.read(model, maxImagePx)
            contents.check(description.labels.names)
            refuseNewer(manifest.read { it.text("min_runtime") }, runtimeVersion)
            return Bundle(
                file = file,
                model = model,
                modelSha256 = contents.modelSha256,
                description = description,
                decision = manifest.read(::decision),
                goldens = contents.goldens,
                recipe = manifest.read { it.part("recipe").text("quantize") },
                proven = true,
            )
        }

        private fun decision(manifest: JsonObject): Decision {
            val stated = manifest.optional("decision") as JsonObject? ?: return Decision()
            return Decision(
                unsureBelow = stated.optional("unsure_below")?.jsonPrimitive?.content?.toFloat(),
                thresholds = (stated.optional("thresholds") as JsonObject?)?.numbers().orEmpty(),
            )
        }

        private fun refuseNewer(needed: String, present: String) {
            if (RuntimeVersion.isNewer(needed, present)) {
                throw Refusal("The model needs runtime $needed or newer; the app has $present.")
            }
        }
    }
}

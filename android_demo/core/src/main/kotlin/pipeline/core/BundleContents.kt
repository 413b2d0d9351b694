package pipeline.core

import java.math.BigDecimal
import java.nio.ByteBuffer
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject

/**
 * Holds the files of a bundle that are all there, unchanged, and nothing else, by the rules of
 * `pipeline verify`: each refusal has the name and the sentence of the check that refuses it there.
 */
internal class BundleContents private constructor(
    private val files: FileStore,
    val manifest: JsonFile,
    private val recorded: Map<String, String>,
    val model: ByteBuffer,
) {
    val modelSha256: String = recorded.getValue(MODEL)
    private val verdict = JsonFile(VERDICT, files.read(VERDICT)).read(::RecordedVerdict)
    private val recipe: JsonObject = JsonFile(RECIPE, files.read(RECIPE)).read { it }
    val goldens: Goldens = Goldens.parse(files.read(Goldens.FILE))

    init {
        val pinned = (verdict.inputs.optional("manifest") as? JsonPrimitive)?.content
        if (pinned != manifest.read(::digestWithoutVerdict)) {
            throw changed("$MANIFEST is not the one of its verdict", Reason.MANIFEST_PINNED)
        }
        verdict.refuseUnlessPassed()
        val parent = manifest.read { it.part("parents").text("model") }
        if (verdict.candidateSha256 != modelSha256 || verdict.referenceSha256 != parent) {
            throw Refusal("The verdict belongs to another model.", Reason.CANDIDATE_MODEL)
        }
    }

    /** Checks that the records belong together and to a model whose own labels are [own]. */
    fun check(own: List<String>) {
        val names = manifest.read { it.part("labels").texts("names") }
        val lines = files.read(LABELS).toString(Charsets.UTF_8).lines().map(String::trim).filter(String::isNotEmpty)
        compareLabels(LABELS, lines, own)
        compareLabels(MANIFEST, names, own)
        compareLabels("goldens.json", goldens.labels, own)
        if (manifest.read { it.part("recipe") } != recipe) {
            throw Refusal("The recipe is not the manifest's: $RECIPE says another.", Reason.RECIPE_AGREES)
        }
        checkGoldens()
        checkInputs()
        verdict.refuseUnlessComplete(manifest.read { it.part("labels").texts("critical") })
    }

    private fun checkGoldens() {
        if (goldens.modelSha256 != modelSha256) {
            throw Refusal("The goldens belong to another model.", Reason.GOLDENS_FIT)
        }
        if (goldens.imageContractSha256 != manifest.read { CanonicalJson.digest(it.part("image")) }) {
            throw Refusal("The goldens belong to another image contract.", Reason.GOLDENS_FIT)
        }
        val listed = goldens.goldens.associate { "${Goldens.FOLDER}/${it.file}" to it.sha256 }
        val pinned = recorded.filterKeys { it.startsWith("${Goldens.FOLDER}/") && it.endsWith(".jpg") }
        val apart = (listed.keys + pinned.keys).filter { listed[it] != pinned[it] }.sorted()
        if (apart.isNotEmpty()) {
            throw Refusal(
                "The goldens are not the photos of the manifest: ${apart.joinToString(", ")}.", Reason.GOLDEN_PHOTOS,
            )
        }
        val widest = manifest.read { Goldens.widestTolerance(it.part("recipe").text("quantize")) }
        refuseWider(goldens.tolerance.toString(), widest.toString(), Reason.GOLDEN_TOLERANCE)
        refuseWider(goldens.nearLevels.toString(), Goldens.WIDEST_NEAR_LEVELS.toString(), Reason.GOLDEN_NEAR_LEVELS)
    }

    private fun refuseWider(stated: String, limit: String, reason: String) {
        val (found, widest) = listOf(stated, limit).map { BigDecimal(it).stripTrailingZeros() }
        if (found > widest) {
            throw Refusal(
                "The goldens allow a difference of ${found.toPlainString()}, more than ${widest.toPlainString()}.", reason,
            )
        }
    }

    private fun checkInputs() {
        val wanted = manifest.read { root ->
            DIGESTED.associateWith { CanonicalJson.digest(root.part(it)) } + mapOf(
                "dataset" to root.part("parents").text("dataset"),
                "min_runtime" to root.text("promised_runtime"),
                "model" to root.part("parents").text("model"),
            )
        }
        val apart = wanted.filter { (name, value) -> verdict.inputs.optional(name) != JsonPrimitive(value) }.keys.sorted()
        if (apart.isNotEmpty()) {
            val differing = apart.joinToString(", ") { it.replace('_', ' ') }
            throw Refusal("The verdict was given for another bundle: they differ in $differing.", Reason.INPUTS)
        }
    }

    companion object {
        private const val MODEL = "model.tflite"
        private const val LABELS = "labels.txt"
        private const val MANIFEST = "manifest.json"
        private const val VERDICT = "verdict.json"
        private const val RECIPE = "recipe.json"
        private const val SHOWN_NAMES = 8

        /** The manifest cannot list itself, a signature is made of what is there, measured figures differ each time. */
        private val UNLISTED = setOf(MANIFEST, "measured.json", "model.sig")
        private val NEEDED = listOf(Goldens.FILE, LABELS, MODEL, RECIPE)

        /** Parts of the manifest whose digests the verdict states by the same names. */
        private val DIGESTED = listOf("about", "decision", "labels", "normalization")

        /**
         * Opens a folder that has a manifest.
         *
         * @throws Refusal a file is missing, more, changed or no plain file, or the verdict does not
         *   follow from its data, is no pass, or belongs to other files.
         */
        fun open(files: FileStore): BundleContents {
            val manifest = JsonFile(MANIFEST, files.read(MANIFEST))
            val entries = manifest.read { root ->
                root.part("files").mapValues { (_, value) ->
                    val entry = value.jsonObject
                    entry.text("sha256") to entry.number("size_bytes").toLong()
                }
            }
            if (VERDICT !in entries) {
                throw Refusal("The bundle was made by an earlier release of pipeline: export it again.", Reason.RELEASE)
            }
            checkNames(files, entries.keys)
            val model = files.map(MODEL)
            for ((name, entry) in entries.toSortedMap()) {
                val (sha256, sizeBytes) = entry
                val whole = if (name == MODEL) model else ByteBuffer.wrap(files.read(name))
                if (whole.capacity().toLong() != sizeBytes || Hash.of(whole) != sha256) {
                    throw changed("$name differs from $MANIFEST", Reason.CHANGED_FILES)
                }
            }
            return BundleContents(files, manifest, entries.mapValues { (_, entry) -> entry.first }, model)
        }

        private fun checkNames(files: FileStore, recorded: Set<String>) {
            recorded.filterNot(::isPlain).minOrNull()?.let {
                throw Refusal("The manifest names what is no file of the bundle: $it.", Reason.FILE_NAMES)
            }
            val found = files.all().toSet()
            (recorded + MANIFEST + NEEDED - found).minOrNull()?.let {
                throw Refusal("The bundle is not whole: $it is missing.", Reason.MISSING_FILES)
            }
            (found - recorded - UNLISTED).minOrNull()?.let {
                throw Refusal("The bundle holds a file that its manifest does not list: $it.", Reason.UNLISTED_FILES)
            }
            NEEDED.firstOrNull { it !in recorded }?.let {
                throw Refusal("The bundle is not whole: $it is missing.", Reason.NEEDED_FILES)
            }
        }

        private fun isPlain(name: String): Boolean =
            name !in UNLISTED &&
                name.split('/').none { it.isEmpty() || it == "." || it == ".." } &&
                name.none { it in "\\:*?\"<>|" || it < ' ' }

        private fun digestWithoutVerdict(manifest: JsonObject): String =
            CanonicalJson.digest(JsonObject(manifest + ("files" to JsonObject(manifest.part("files") - VERDICT))))

        private fun changed(how: String, reason: String) =
            Refusal("The bundle was changed after it was proven: $how.", reason)

        private fun compareLabels(file: String, stated: List<String>, own: List<String>) {
            if (stated != own) {
                throw Refusal(
                    "The labels are not the model's: $file says ${shown(stated)}; the model says ${shown(own)}.",
                    Reason.LABELS_AGREE,
                )
            }
        }

        private fun shown(names: List<String>): String =
            names.joinToString(", ", limit = SHOWN_NAMES, truncated = "...")
    }
}

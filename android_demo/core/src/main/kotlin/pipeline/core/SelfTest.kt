package pipeline.core

import java.io.FileNotFoundException
import kotlin.math.abs

/** Says what a self-test came to. */
enum class Outcome { PASS, FAIL, NOTHING_TO_CHECK }

/** Holds what came of one golden; [sentence] says it to a person. */
class GoldenResult(
    val file: String,
    val about: String,
    val passed: Boolean,
    val sentence: String,
    val decodedExactly: Boolean,
    val largestDifference: Float?,
    val inferenceMs: Double?,
)

/** Holds a finished self-test; [recording] is the JSON to hand back, null unless all answered. */
class SelfTestReport(
    val outcome: Outcome,
    val sentence: String,
    val results: List<GoldenResult>,
    val latencyMsP50: Double?,
    val latencyMsP90: Double?,
    val recording: String?,
)

/**
 * Proves on this device what the host proved: every golden is decoded, prepared and classified
 * here, and compared with what the bundle says of it.
 *
 * Where a golden's pixels are the host's, its input tensor must be too, byte for byte. A JPEG
 * decoder may be a level off; then the resized picture must agree in the mean of each cell. The
 * probabilities must agree within the bundle's tolerance either way, by name. At least one
 * golden must decode exactly, or nothing proves the preparation.
 */
class SelfTest(
    private val bundle: Bundle,
    private val classifier: Classifier,
    private val files: FileStore,
    private val host: String,
) {
    /** Runs every golden, [REPEATS] inferences each; call it off the main thread. */
    fun run(progress: (done: Int, total: Int) -> Unit): SelfTestReport {
        val goldens = bundle.goldens
        if (goldens == null || goldens.goldens.isEmpty()) {
            return SelfTestReport(
                Outcome.NOTHING_TO_CHECK,
                "This model came without goldens, so nothing can be proven on this device.",
                emptyList(), null, null, null,
            )
        }
        if (goldens.modelSha256 != bundle.modelSha256) {
            return failed("The goldens belong to another model.", emptyList())
        }
        val results = mutableListOf<GoldenResult>()
        val answers = mutableListOf<RecordedAnswer>()
        val latenciesMs = mutableListOf<Double>()
        goldens.goldens.forEachIndexed { i, golden ->
            progress(i, goldens.goldens.size)
            results += check(golden, goldens, answers, latenciesMs)
        }
        progress(goldens.goldens.size, goldens.goldens.size)
        val broken = results.filterNot { it.passed }
        if (broken.isNotEmpty()) {
            return failed("${broken.size} of ${results.size} goldens differ: ${broken.first().sentence}", results)
        }
        if (results.none { it.decodedExactly }) {
            return failed("This device decodes none of the photos as the host did, so nothing proves how it prepares them.", results)
        }
        val inexact = results.count { !it.decodedExactly }
        val note = if (inexact == 0) "" else " Its JPEG decoder gives slightly other pixels for $inexact of them."
        return SelfTestReport(
            Outcome.PASS,
            "All ${results.size} goldens agree with the host.$note",
            results,
            Latency.percentile(latenciesMs, 50.0),
            Latency.percentile(latenciesMs, 90.0),
            Recording(bundle, goldens, classifier.engine, host, answers).json(),
        )
    }

    private fun check(
        golden: Golden,
        goldens: Goldens,
        answers: MutableList<RecordedAnswer>,
        latenciesMs: MutableList<Double>,
    ): GoldenResult {
        fun broken(sentence: String, exact: Boolean = false, difference: Float? = null, ms: Double? = null) =
            GoldenResult(golden.file, golden.about, false, sentence, exact, difference, ms)

        val photo = try {
            files.read("${Goldens.FOLDER}/${golden.file}")
        } catch (_: FileNotFoundException) {
            return broken("${golden.file} is missing.")
        }
        if (Hash.of(photo) != golden.sha256) return broken("${golden.file} was changed.")
        val levels: ByteArray
        val exact: Boolean
        try {
            val seen = Upright.of(photo, classifier.decoder, bundle.description.image.maxImagePx)
            if (seen.widthPx != golden.widthPx || seen.heightPx != golden.heightPx) {
                return broken(
                    "${golden.file} comes out as ${seen.widthPx} x ${seen.heightPx} pixels, " +
                        "not ${golden.widthPx} x ${golden.heightPx}.",
                )
            }
            exact = seen.sha256 == golden.pixelsSha256
            levels = classifier.levels(photo)
        } catch (refusal: PhotoRefusal) {
            return broken("${golden.file} cannot be decoded: ${refusal.detail}.")
        }
        val description = bundle.description
        if (exact) {
            val tensor = Hash.of(description.image.inputTensor(levels, description.input))
            if (tensor != golden.tensorSha256) {
                return broken("${golden.file} is prepared differently: the model's input is not the host's.", exact)
            }
        } else {
            val off = CellMeans.largestDifference(levels, description.image, golden.cellMeans)
            if (off > goldens.nearLevels) {
                return broken("${golden.file} looks different: up to %.1f grey levels off.".format(off))
            }
        }
        val runs = List(REPEATS) { classifier.classifyLevels(levels) }
        val probabilities = runs.last().probabilities
        val timesMs = runs.map { it.inferenceMs }
        latenciesMs += timesMs
        answers += RecordedAnswer(golden.sha256, probabilities, Latency.percentile(timesMs, 50.0))
        val differences = description.labels.names.mapIndexed { i, name ->
            abs(probabilities[i] - (golden.probabilities[name] ?: Float.NaN))
        }
        // NaN compares as neither: only a difference known to be small passes.
        val worst = differences.indices.maxByOrNull { if (differences[it].isNaN()) Float.MAX_VALUE else differences[it] }!!
        val ms = Latency.percentile(timesMs, 50.0)
        if (!(differences[worst] <= goldens.tolerance)) {
            val name = description.labels.names[worst]
            return broken(
                "${golden.file} is answered differently: $name is %.3f, not %.3f.".format(
                    probabilities[worst], golden.probabilities[name] ?: Float.NaN,
                ),
                exact, differences[worst], ms,
            )
        }
        val how = if (exact) "Same pixels, same input" else "Pixels nearly the same"
        return GoldenResult(
            golden.file, golden.about, true,
            "$how; largest difference %.4f.".format(differences[worst]), exact, differences[worst], ms,
        )
    }

    private fun failed(sentence: String, results: List<GoldenResult>) =
        SelfTestReport(Outcome.FAIL, sentence, results, null, null, null)

    companion object {
        /** How often each golden is answered, so that the latency is of a warm model. */
        const val REPEATS = 5
    }
}

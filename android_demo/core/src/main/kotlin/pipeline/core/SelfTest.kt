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

/**
 * Holds a finished self-test. [recording] is the JSON to hand back, of every golden that was answered,
 * whatever the outcome; it and the latencies are null where none was.
 */
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
 * golden must decode exactly, or nothing proves the preparation. A golden that is prepared
 * differently is answered all the same: the host needs to see what comes of it.
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
            return SelfTestReport(Outcome.FAIL, "The goldens belong to another model.", emptyList(), null, null, null)
        }
        val checked = goldens.goldens.mapIndexed { i, golden ->
            progress(i, goldens.goldens.size)
            check(golden, goldens)
        }
        progress(goldens.goldens.size, goldens.goldens.size)
        val results = checked.map { it.result }
        val answers = checked.mapNotNull { it.answer }
        val latenciesMs = checked.flatMap { it.latenciesMs }
        val failure = failure(results)
        return SelfTestReport(
            if (failure == null) Outcome.PASS else Outcome.FAIL,
            failure ?: agreement(results),
            results,
            latenciesMs.ifEmpty { null }?.let { Latency.percentile(it, 50.0) },
            latenciesMs.ifEmpty { null }?.let { Latency.percentile(it, 90.0) },
            answers.ifEmpty { null }?.let {
                Recording(bundle, goldens, classifier.engine, host, it, failed(checked)).json()
            },
        )
    }

    private fun failure(results: List<GoldenResult>): String? {
        val broken = results.filterNot { it.passed }
        return when {
            broken.isNotEmpty() -> "${broken.size} of ${results.size} goldens differ: ${broken.first().sentence}"
            results.none { it.decodedExactly } ->
                "This device decodes none of the photos as the host did, so nothing proves how it prepares them."
            else -> null
        }
    }

    // Where none decodes exactly, each of them is unproven.
    private fun failed(checked: List<Checked>): List<String> =
        checked.filter { !it.result.passed || checked.none { one -> one.result.decodedExactly } }.map { it.golden.sha256 }

    private fun agreement(results: List<GoldenResult>): String {
        val inexact = results.count { !it.decodedExactly }
        val note = if (inexact == 0) "" else " Its JPEG decoder gives slightly other pixels for $inexact of them."
        return "All ${results.size} goldens agree with the host.$note"
    }

    private fun check(golden: Golden, goldens: Goldens): Checked {
        fun unanswered(sentence: String) =
            Checked(golden, GoldenResult(golden.file, golden.about, false, sentence, false, null, null), null, emptyList())

        val photo = try {
            files.read("${Goldens.FOLDER}/${golden.file}")
        } catch (_: FileNotFoundException) {
            return unanswered("${golden.file} is missing.")
        }
        if (Hash.of(photo) != golden.sha256) return unanswered("${golden.file} was changed.")
        return try {
            val decoded = Upright.of(photo, classifier.decoder, bundle.description.image.maxImagePx)
            answered(golden, goldens, decoded, classifier.pixels(photo))
        } catch (refusal: PhotoRefusal) {
            unanswered("${golden.file} cannot be decoded: ${refusal.detail}.")
        }
    }

    private fun answered(golden: Golden, goldens: Goldens, decoded: Upright, pixels: ByteArray): Checked {
        val exact = decoded.sha256 == golden.pixelsSha256
        val runs = List(REPEATS) { classifier.classifyPixels(pixels) }
        val probabilities = runs.last().probabilities
        val timesMs = runs.map { it.inferenceMs }
        val ms = Latency.percentile(timesMs, 50.0)
        val names = bundle.description.labels.names
        val differences = names.mapIndexed { i, name -> abs(probabilities[i] - (golden.probabilities[name] ?: Float.NaN)) }
        // NaN compares as neither: only a difference known to be small passes.
        val worst = differences.indices.maxByOrNull { if (differences[it].isNaN()) Float.MAX_VALUE else differences[it] }!!
        val problem = preparationProblem(golden, goldens, decoded, pixels)
            ?: if (differences[worst] <= goldens.tolerance) {
                null
            } else {
                "${golden.file} is answered differently: ${names[worst]} is %.3f, not %.3f.".format(
                    probabilities[worst], golden.probabilities[names[worst]] ?: Float.NaN,
                )
            }
        val how = if (exact) "Same pixels, same input" else "Pixels nearly the same"
        val sentence = problem ?: "$how; largest difference %.4f.".format(differences[worst])
        val result = GoldenResult(golden.file, golden.about, problem == null, sentence, exact, differences[worst], ms)
        return Checked(golden, result, RecordedAnswer(golden.sha256, probabilities, ms), timesMs)
    }

    private fun preparationProblem(golden: Golden, goldens: Goldens, decoded: Upright, pixels: ByteArray): String? {
        if (decoded.widthPx != golden.widthPx || decoded.heightPx != golden.heightPx) {
            return "${golden.file} comes out as ${decoded.widthPx} x ${decoded.heightPx} pixels, " +
                "not ${golden.widthPx} x ${golden.heightPx}."
        }
        val description = bundle.description
        if (decoded.sha256 == golden.pixelsSha256) {
            val tensor = Hash.of(description.image.inputTensor(pixels, description.input))
            if (tensor == golden.tensorSha256) return null
            return "${golden.file} is prepared differently: the model's input is not the host's."
        }
        val off = CellMeans.largestDifference(pixels, description.image, golden.cellMeans)
        if (off <= goldens.nearLevels) return null
        return "${golden.file} looks different: the mean colour of a part is off by up to %.1f of 255.".format(off)
    }

    private class Checked(
        val golden: Golden,
        val result: GoldenResult,
        val answer: RecordedAnswer?,
        val latenciesMs: List<Double>,
    )

    companion object {
        /** How often each golden is answered, so that the latency is of a warm model. */
        const val REPEATS = 5
    }
}

package pipeline.core

import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.addJsonArray
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray

/** Holds the answer to one image of a recording. */
class RecordedAnswer(val imageSha256: String, val probabilities: FloatArray, val latencyMs: Double)

/**
 * Writes what the app answered to the goldens as the JSON that
 * `pipeline parity --reference BUNDLE --candidate FILE` reads. [failedSha256] are the goldens that
 * this device's own self-test failed, those it could not answer among them: a photo may be prepared
 * differently and still be answered within the tolerance.
 */
class Recording(
    private val bundle: Bundle,
    private val goldens: Goldens,
    private val engine: Engine,
    private val host: String,
    private val answers: List<RecordedAnswer>,
    private val failedSha256: List<String>,
) {
    private val latenciesMs = answers.map { it.latencyMs }

    /** Returns the recording; probabilities are written so that they read back to the same float. */
    fun json(): String = buildJsonObject {
        put("schema_version", 1)
        put("kind", "recording")
        put("runtime", "android")
        put("runtime_version", engine.runtimeVersion)
        put("model_sha256", bundle.modelSha256)
        put("image_contract_sha256", goldens.imageContractSha256)
        putJsonArray("labels") { bundle.description.labels.names.forEach { add(it) } }
        put("dataset_sha256", goldens.fileSha256)
        put("split", Goldens.FOLDER)
        put("threads", engine.threads)
        put("host", host)
        put("count", answers.size)
        put("latency_ms_p50", Latency.percentile(latenciesMs, 50.0))
        put("latency_ms_p90", Latency.percentile(latenciesMs, 90.0))
        putJsonArray("image_ids") { answers.forEach { add(it.imageSha256) } }
        putJsonArray("probabilities") {
            answers.forEach { answer -> addJsonArray { answer.probabilities.forEach { add(finite(it)) } } }
        }
        putJsonArray("self_test_failed") { failedSha256.forEach { add(it) } }
    }.toString()

    // JSON has neither NaN nor infinity; the host reads a number beyond float32 as infinity.
    private fun finite(probability: Float): Number =
        if (probability.isNaN() || probability.isInfinite()) BEYOND_FLOAT32 else probability

    private companion object {
        const val BEYOND_FLOAT32 = 1e39
    }
}

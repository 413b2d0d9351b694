package pipeline.core

import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/**
 * Holds one photo with what the host made of it.
 *
 * [pixelsSha256] is of the decoded, upright RGB bytes; [tensorSha256] of the model's input as
 * fed; [cellMeans] are the mean R, G and B, 0 to 255, of a 4 x 4 grid over the resized pixels.
 */
class Golden(
    val file: String,
    val sha256: String,
    val about: String,
    val widthPx: Int,
    val heightPx: Int,
    val pixelsSha256: String,
    val tensorSha256: String,
    val cellMeans: List<List<Double>>,
    val probabilities: Map<String, Float>,
)

/**
 * Holds the goldens of a bundle. [tolerance] is the largest accepted difference of a
 * probability, [nearLevels] how far the mean of a cell may be off where a phone's JPEG decoder
 * gives other pixels than the host's.
 */
class Goldens(
    val fileSha256: String,
    val modelSha256: String,
    val imageContractSha256: String,
    val labels: List<String>,
    val tolerance: Float,
    val nearLevels: Double,
    val goldens: List<Golden>,
) {
    companion object {
        const val FOLDER = "goldens"
        const val FILE = "goldens/goldens.json"

        /** How far the mean of a cell may be off at most, in pixel values, in any bundle. */
        const val WIDEST_NEAR_LEVELS = 1.0
        private const val FLOAT_TOLERANCE = 0.005f
        private const val EIGHT_BIT_TOLERANCE = 0.05f

        /** Returns the largest tolerance of a probability that a file quantized so may ask for. */
        fun widestTolerance(quantize: String): Float = when (quantize) {
            "float32", "float16" -> FLOAT_TOLERANCE
            "dynamic", "int8" -> EIGHT_BIT_TOLERANCE
            else -> throw IllegalArgumentException("$quantize is no way to quantize")
        }

        /**
         * Reads goldens.json.
         *
         * @throws Refusal it is not what it should be.
         */
        fun parse(bytes: ByteArray): Goldens = JsonFile(FILE, bytes).read { root ->
            Goldens(
                fileSha256 = Hash.of(bytes),
                modelSha256 = root.text("model_sha256"),
                imageContractSha256 = root.text("image_contract_sha256"),
                labels = root.texts("labels"),
                tolerance = root.number("tolerance").toFloat(),
                nearLevels = root.number("near_levels"),
                goldens = root.getValue("goldens").jsonArray.map { element ->
                    val one = element.jsonObject
                    Golden(
                        file = one.text("file"),
                        sha256 = one.text("sha256"),
                        about = one.text("about"),
                        widthPx = one.number("width_px").toInt(),
                        heightPx = one.number("height_px").toInt(),
                        pixelsSha256 = one.text("pixels_sha256"),
                        tensorSha256 = one.text("tensor_sha256"),
                        cellMeans = one.getValue("cell_means").jsonArray.map { cell ->
                            cell.jsonArray.map { it.jsonPrimitive.content.toDouble() }
                        },
                        probabilities = one.part("probabilities").numbers(),
                    )
                },
            )
        }
    }
}

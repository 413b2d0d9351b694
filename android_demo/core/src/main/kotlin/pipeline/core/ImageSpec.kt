package pipeline.core

import java.nio.ByteBuffer

/**
 * Says how a picture becomes the model's input; every value is read from the model's own file.
 *
 * Sizes are pixels; [mean] and [std] are on the scale of a pixel, 0 to 255: a float input is
 * (value - mean) / std. A photo of more than [maxImagePx] pixels is refused before it is decoded.
 */
class ImageSpec(
    val heightPx: Int,
    val widthPx: Int,
    val mean: Float,
    val std: Float,
    val maxImagePx: Long,
) {
    /**
     * Fills the input tensor from resized pixels, uint8 RGB, rows first.
     *
     * uint8 takes the pixels as they are. int8 takes round-half-to-even of the float input over
     * the scale, plus the zero point, clipped. All arithmetic is float32, as on the host: double
     * would move one byte in a hundred.
     */
    fun inputTensor(pixels: ByteArray, tensor: TensorSpec): ByteBuffer {
        require(pixels.size == tensor.elements) { "${pixels.size} values for ${tensor.elements} elements" }
        val stored = tensor.allocate()
        val range = tensor.type.range
        for (value in pixels) {
            if (tensor.type == ElementType.UINT8) {
                stored.put(value)
                continue
            }
            val real = (value.toInt().and(0xff).toFloat() - mean) / std
            if (range == null) {
                stored.putFloat(real)
            } else {
                val step = Math.rint((real / tensor.scale).toDouble()).toFloat() + tensor.zeroPoint.toFloat()
                stored.put(step.toInt().coerceIn(range).toByte())
            }
        }
        stored.rewind()
        return stored
    }
}

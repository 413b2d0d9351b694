package pipeline.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Names the types that an image classifier's tensors may have. */
enum class ElementType(val bytes: Int, val range: IntRange?) {
    FLOAT32(4, null),
    UINT8(1, 0..255),
    INT8(1, -128..127),
}

/**
 * Describes one tensor as the file states it: real = [scale] * (stored - [zeroPoint]); a float
 * tensor has scale 0.
 */
class TensorSpec(
    val name: String,
    val shape: List<Int>,
    val type: ElementType,
    val scale: Float,
    val zeroPoint: Int,
) {
    val elements: Int get() = shape.fold(1) { product, size -> product * size }
    val bytes: Int get() = elements * type.bytes

    /** Allocates a direct buffer in the machine's byte order, as native runtimes need it. */
    fun allocate(): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

    /** Reads stored values as real numbers, in float32 arithmetic. */
    fun dequantize(stored: ByteBuffer): FloatArray {
        val from = stored.duplicate().order(ByteOrder.nativeOrder()).apply { rewind() }
        return FloatArray(elements) {
            when (type) {
                ElementType.FLOAT32 -> from.getFloat()
                ElementType.UINT8 -> (from.get().toInt().and(0xff).toFloat() - zeroPoint.toFloat()) * scale
                ElementType.INT8 -> (from.get().toFloat() - zeroPoint.toFloat()) * scale
            }
        }
    }
}

package pipeline.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue

class SmallPartsTest {
    private fun image(mean: Float = 127.5f, std: Float = 127.5f) = ImageSpec(1, 2, mean, std, 100)

    private fun tensor(type: ElementType, scale: Float = 0f, zeroPoint: Int = 0) =
        TensorSpec("image", listOf(1, 1, 2, 3), type, scale, zeroPoint)

    private val pixels = byteArrayOf(0, 1, 127, 128.toByte(), 254.toByte(), 255.toByte())

    @Test
    fun `a uint8 input takes the pixels as they are`() {
        val fed = image().inputTensor(pixels, tensor(ElementType.UINT8, 0.007843138f, 128))
        assertContentEquals(pixels, ByteArray(6).also { fed.get(it) })
    }

    @Test
    fun `a float input is normalized in float32`() {
        val fed = image(120f, 64f).inputTensor(pixels, tensor(ElementType.FLOAT32))
        for (level in listOf(0, 1, 127, 128, 254, 255)) assertEquals((level - 120f) / 64f, fed.getFloat())
    }

    @Test
    fun `an int8 input is rounded half to even and clipped`() {
        // With std 1 and scale 2 the steps are halves of the values: 0, 0.5, 63.5, 64, 127, 127.5.
        val fed = image(0f, 1f).inputTensor(pixels, tensor(ElementType.INT8, 2f))
        assertContentEquals(byteArrayOf(0, 0, 64, 64, 127, 127), ByteArray(6).also { fed.get(it) })
        val low = image(255f, 1f).inputTensor(pixels, tensor(ElementType.INT8, 1f, 5))
        assertEquals(-128, low.get(0))
        assertEquals(5, low.get(5))
    }

    @Test
    fun `another number of values is refused`() {
        assertFailsWith<IllegalArgumentException> { image().inputTensor(ByteArray(5), tensor(ElementType.UINT8)) }
    }

    @Test
    fun `outputs are dequantized by their type`() {
        fun read(type: ElementType, vararg bytes: Int): List<Float> =
            TensorSpec("p", listOf(1, 2), type, 0.5f, 2)
                .dequantize(ByteBuffer.wrap(bytes.map { it.toByte() }.toByteArray())).toList()
        assertEquals(listOf(-1f, 126.5f), read(ElementType.UINT8, 0, 255))
        assertEquals(listOf(-1f, -1.5f), read(ElementType.INT8, 0, 255))
        val floats = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putFloat(0.25f).putFloat(0.75f)
        assertEquals(listOf(0.25f, 0.75f), TensorSpec("p", listOf(1, 2), ElementType.FLOAT32, 0f, 0).dequantize(floats).toList())
    }

    private val labels = Labels(listOf("A", "B", "C"), mapOf("A" to "Alpha"))

    @Test
    fun `without a decision the most probable class is the answer`() {
        val judged = Decision().judge(labels, floatArrayOf(0.2f, 0.5f, 0.3f))
        assertEquals(listOf("B", "C", "A"), judged.ranked.map { it.label })
        assertEquals(listOf("B", "C", "Alpha"), judged.ranked.map { it.fullName })
        assertEquals(listOf("B", "C"), judged.top(2).map { it.label })
        assertFalse(judged.unsure)
        assertEquals(emptyList(), judged.overThreshold)
    }

    @Test
    fun `below the band the answer is unsure, at it not`() {
        val decision = Decision(unsureBelow = 0.5f)
        assertTrue(decision.judge(labels, floatArrayOf(0.49f, 0.3f, 0.21f)).unsure)
        assertFalse(decision.judge(labels, floatArrayOf(0.5f, 0.3f, 0.2f)).unsure)
    }

    @Test
    fun `a class that reaches its own threshold is named`() {
        val decision = Decision(thresholds = mapOf("A" to 0.2f, "C" to 0.4f))
        assertEquals(listOf("A"), decision.judge(labels, floatArrayOf(0.2f, 0.5f, 0.3f)).overThreshold.map { it.label })
    }

    @Test
    fun `equal probabilities keep the model's order`() {
        val third = 1f / 3
        assertEquals(listOf("A", "B", "C"), Decision().judge(labels, floatArrayOf(third, third, third)).ranked.map { it.label })
    }

    @Test
    fun `percentiles are NumPy's`() {
        // numpy.percentile([1, 2, 4, 8], [50, 90])
        assertEquals(3.0, Latency.percentile(listOf(8.0, 1.0, 4.0, 2.0), 50.0), 1e-12)
        assertEquals(6.8, Latency.percentile(listOf(8.0, 1.0, 4.0, 2.0), 90.0), 1e-12)
        assertEquals(7.0, Latency.percentile(listOf(7.0), 90.0))
        assertFailsWith<IllegalArgumentException> { Latency.percentile(emptyList(), 50.0) }
    }

    @Test
    fun `versions are compared number by number`() {
        assertTrue(RuntimeVersion.isNewer("2.17.0", "2.16.1"))
        assertTrue(RuntimeVersion.isNewer("2.16.2", "2.16.1"))
        assertFalse(RuntimeVersion.isNewer("2.9.0", "2.16.1"))
        assertFalse(RuntimeVersion.isNewer("2.16", "2.16.0"))
        assertFalse(RuntimeVersion.isNewer("2.16.1", "2.16.1"))
        assertTrue(RuntimeVersion.isNewer("unknown", "2.16.1"), "what is no version is not promised")
    }
}

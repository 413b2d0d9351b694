package pipeline.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.test.Test
import kotlin.test.assertEquals

class OrientationTest {
    /** Returns the head of a JPEG whose EXIF block states an orientation (Exif 2.32, 4.5 and 4.6). */
    private fun jpeg(orientation: Int, order: ByteOrder): ByteArray {
        val tiff = ByteBuffer.allocate(26).order(order)
        tiff.put(if (order == ByteOrder.BIG_ENDIAN) "MM".toByteArray() else "II".toByteArray())
        tiff.putShort(42).putInt(8).putShort(1)
        tiff.putShort(0x0112).putShort(3).putInt(1).putShort(orientation.toShort()).putShort(0)
        tiff.putInt(0)
        val body = "Exif".toByteArray() + byteArrayOf(0, 0) + tiff.array()
        val head = ByteBuffer.allocate(6).putShort(0xffd8.toShort()).putShort(0xffe1.toShort()).putShort((body.size + 2).toShort())
        return head.array() + body + byteArrayOf(0xff.toByte(), 0xd9.toByte())
    }

    @Test
    fun `all eight values are read in both byte orders`() {
        for (order in listOf(ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN)) {
            for (value in 1..8) assertEquals(value, Orientation.of(jpeg(value, order)).exif, "$order")
        }
    }

    @Test
    fun `a value that does not exist is upright`() {
        for (value in listOf(0, 9, 255)) assertEquals(Orientation.UPRIGHT, Orientation.of(jpeg(value, ByteOrder.BIG_ENDIAN)))
    }

    @Test
    fun `what is no photo states nothing`() {
        for (bytes in listOf(ByteArray(0), ByteArray(3), "a letter".toByteArray(), jpeg(6, ByteOrder.BIG_ENDIAN).copyOf(20))) {
            assertEquals(Orientation.UPRIGHT, Orientation.of(bytes))
        }
    }
}

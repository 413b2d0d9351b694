package pipeline.demo

import android.graphics.Bitmap
import java.nio.ByteBuffer
import java.nio.ByteOrder
import pipeline.core.PhotoProblem
import pipeline.core.PhotoRefusal
import pipeline.core.PixelSource

/**
 * Reads rows from bands of a photo, each a bitmap of full width and at most [bandPx] pixels.
 *
 * Stored bytes are copied as they are: `getPixels` would convert them from the photo's colour
 * profile, which the image contract leaves alone. They are premultiplied by alpha, rounded as
 * the contract rounds, so adding 255 - alpha puts them over white.
 */
internal class BandedPixels(
    override val widthPx: Int,
    override val heightPx: Int,
    bandPx: Long,
    private val band: (top: Int, rows: Int) -> Bitmap?,
    private val release: () -> Unit,
) : PixelSource {
    private val bandRows = (bandPx / widthPx).coerceIn(1L, heightPx.toLong()).toInt()
    private var top = 0
    private var rows = 0
    private var bytes: ByteBuffer = ByteBuffer.allocate(0)

    override fun readRow(y: Int, into: IntArray) {
        require(y in top until heightPx) { "row $y of $heightPx, after row $top" }
        if (y >= top + rows) load(y)
        val stored = bytes.asIntBuffer().apply { position((y - top) * widthPx) }
        stored.get(into, 0, widthPx)
        for (x in 0 until widthPx) into[x] = overWhite(into[x])
    }

    private fun load(from: Int) {
        val count = minOf(bandRows, heightPx - from)
        try {
            val bitmap = band(from, count) ?: throw damaged("rows from $from cannot be decoded")
            if (bitmap.config != Bitmap.Config.ARGB_8888 || bitmap.width != widthPx || bitmap.height != count) {
                throw damaged("rows from $from come as ${bitmap.config} of ${bitmap.width}x${bitmap.height}")
            }
            val needed = widthPx * BYTES_PER_PX * count
            if (bytes.capacity() != needed) bytes = ByteBuffer.allocate(needed).order(ByteOrder.BIG_ENDIAN)
            bytes.clear()
            bitmap.copyPixelsToBuffer(bytes)
            bytes.rewind()
            // A band that is the whole photo is the decoded bitmap itself, released at the end.
            if (count < heightPx) bitmap.recycle()
        } catch (error: OutOfMemoryError) {
            throw PhotoRefusal(PhotoProblem.NO_MEMORY, "too little memory for $count rows of $widthPx pixels", error)
        }
        top = from
        rows = count
    }

    private fun overWhite(stored: Int): Int {
        val white = 0xff - (stored ushr ChannelOrder.alpha and 0xff)
        val red = (stored ushr ChannelOrder.red and 0xff) + white
        val green = (stored ushr ChannelOrder.green and 0xff) + white
        val blue = (stored ushr ChannelOrder.blue and 0xff) + white
        return red.shl(16) or green.shl(8) or blue
    }

    override fun close() = release()

    private companion object {
        const val BYTES_PER_PX = 4
    }
}

/**
 * Finds where the system keeps each channel of an ARGB_8888 pixel that is read as a big-endian
 * number. Phones keep R, G, B, A, which is documented; Android on a PC may keep B, G, R, A.
 */
private object ChannelOrder {
    private const val PROBE = 0xff010203.toInt()
    private val stored = ByteBuffer.allocate(4).order(ByteOrder.BIG_ENDIAN).also { bytes ->
        Bitmap.createBitmap(1, 1, Bitmap.Config.ARGB_8888).apply {
            eraseColor(PROBE)
            copyPixelsToBuffer(bytes)
            recycle()
        }
    }

    val alpha = shiftOf(0xff)
    val red = shiftOf(0x01)
    val green = shiftOf(0x02)
    val blue = shiftOf(0x03)

    private fun shiftOf(value: Int): Int {
        val place = (0 until 4).single { stored.get(it).toInt() and 0xff == value }
        return (3 - place) * 8
    }
}

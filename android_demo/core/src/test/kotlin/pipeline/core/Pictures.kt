package pipeline.core

/** Holds a picture in memory, for tests; watches how its rows are asked for. */
internal class Picture(
    override val widthPx: Int,
    override val heightPx: Int,
    private val pixel: (y: Int, x: Int) -> Int,
) : PixelSource {
    val asked = mutableListOf<Int>()

    override fun readRow(y: Int, into: IntArray) {
        asked += y
        for (x in 0 until widthPx) into[x] = pixel(y, x)
    }

    override fun close() = Unit

    fun at(y: Int, x: Int): Int = pixel(y, x)
}

/** Draws a picture whose every pixel and channel differs from its neighbours'. */
internal fun colorful(widthPx: Int, heightPx: Int) = Picture(widthPx, heightPx) { y, x ->
    val red = (y * 37 + x * 11) % 256
    val green = (y * 5 + x * 71 + 90) % 256
    val blue = (y * 101 + x * 3 + 200) % 256
    red.shl(16) or green.shl(8) or blue
}

/**
 * Encodes pictures for tests: width, height, EXIF orientation is not among them, then RGB bytes.
 * [change] stands for what a faulty or slightly different decoder does to a pixel.
 */
internal class PlainDecoder(private val change: (Int) -> Int = { it }) : PhotoDecoder {
    override fun open(photo: ByteArray, maxImagePx: Long): PixelSource {
        if (photo.size < 2) throw PhotoRefusal(PhotoProblem.EMPTY, "the image file is empty")
        val width = photo[0].toInt()
        val height = photo[1].toInt()
        return Picture(width, height) { y, x ->
            val at = 2 + (y * width + x) * 3
            fun byte(i: Int) = photo[at + i].toInt() and 0xff
            change(byte(0).shl(16) or byte(1).shl(8) or byte(2))
        }
    }

    companion object {
        fun encode(picture: Picture): ByteArray {
            val bytes = mutableListOf(picture.widthPx.toByte(), picture.heightPx.toByte())
            for (y in 0 until picture.heightPx) {
                for (x in 0 until picture.widthPx) {
                    for (shift in intArrayOf(16, 8, 0)) bytes += (picture.at(y, x) shr shift).toByte()
                }
            }
            return bytes.toByteArray()
        }
    }
}

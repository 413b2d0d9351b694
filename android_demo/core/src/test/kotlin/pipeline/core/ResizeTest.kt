package pipeline.core

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.floor
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class ResizeTest {
    private fun pixels(source: PixelSource, height: Int, width: Int, orientation: Orientation = Orientation.UPRIGHT) =
        Resize(height, width).pixels(source, orientation)

    private fun channel(pixel: Int, i: Int): Int = pixel shr (16 - 8 * i) and 0xff

    /** Reads the formula as it is written, in double arithmetic, pixel by pixel. */
    private fun naive(picture: Picture, height: Int, width: Int): List<Double> {
        val values = mutableListOf<Double>()
        for (y in 0 until height) {
            for (x in 0 until width) {
                val sy = (y + 0.5) * picture.heightPx / height - 0.5
                val sx = (x + 0.5) * picture.widthPx / width - 0.5
                val top = floor(sy).toInt().coerceAtLeast(0)
                val bottom = ceil(sy).toInt().coerceIn(0, picture.heightPx - 1)
                val left = floor(sx).toInt().coerceAtLeast(0)
                val right = ceil(sx).toInt().coerceIn(0, picture.widthPx - 1)
                for (i in 0 until 3) {
                    fun at(row: Int, column: Int) = channel(picture.at(row, column), i).toDouble()
                    val upper = at(top, left) + (at(top, right) - at(top, left)) * (sx - floor(sx))
                    val lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * (sx - floor(sx))
                    values += upper + (lower - upper) * (sy - floor(sy))
                }
            }
        }
        return values
    }

    @Test
    fun `pixels follow the formula at any size`() {
        for ((width, height) in listOf(7 to 5, 64 to 64, 33 to 97, 200 to 31, 1 to 1, 2 to 9)) {
            val picture = colorful(width, height)
            val expected = naive(picture, 32, 48)
            val got = pixels(picture, 32, 48)
            for (i in expected.indices) {
                val level = got[i].toInt() and 0xff
                assertTrue(abs(level - expected[i]) <= 0.501, "$width x $height, value $i: $level, ${expected[i]}")
            }
        }
    }

    @Test
    fun `a picture of the model's size stays as it is`() {
        val picture = colorful(40, 24)
        val got = pixels(picture, 24, 40)
        var place = 0
        for (y in 0 until 24) {
            for (x in 0 until 40) {
                for (i in 0 until 3) assertEquals(channel(picture.at(y, x), i), got[place++].toInt() and 0xff)
            }
        }
    }

    @Test
    fun `halves are rounded to even`() {
        // Two columns become one in the middle: (a + b) / 2.
        fun middle(a: Int, b: Int) = pixels(Picture(2, 1) { _, x -> if (x == 0) a else b }, 1, 1)[2].toInt() and 0xff
        assertEquals(0, middle(0, 1))
        assertEquals(2, middle(1, 2))
        assertEquals(2, middle(2, 3))
        assertEquals(254, middle(254, 255))
    }

    @Test
    fun `only the two nearest pixels count, so a line between them vanishes`() {
        val lined = Picture(64, 64) { _, x -> if (x % 8 == 0) 0xffffff else 0 }
        // Eight source columns for each target: antialiasing would leave a level of 32.
        assertTrue(pixels(lined, 8, 8).all { it.toInt() == 0 })
    }

    @Test
    fun `every orientation is undone before the resize`() {
        val upright = colorful(13, 7)
        val expected = pixels(upright, 32, 32)
        fun stored(width: Int, height: Int, pixel: (Int, Int) -> Int) = Picture(width, height, pixel)
        val turned = mapOf(
            1 to stored(13, 7) { y, x -> upright.at(y, x) },
            2 to stored(13, 7) { y, x -> upright.at(y, 12 - x) },
            3 to stored(13, 7) { y, x -> upright.at(6 - y, 12 - x) },
            4 to stored(13, 7) { y, x -> upright.at(6 - y, x) },
            5 to stored(7, 13) { y, x -> upright.at(x, y) },
            // A camera held so that the picture must be turned right to stand upright.
            6 to stored(7, 13) { y, x -> upright.at(x, 12 - y) },
            7 to stored(7, 13) { y, x -> upright.at(6 - x, 12 - y) },
            8 to stored(7, 13) { y, x -> upright.at(6 - x, y) },
        )
        for ((exif, picture) in turned) {
            val orientation = Orientation.entries.single { it.exif == exif }
            assertContentEquals(expected, pixels(picture, 32, 32, orientation), "orientation $exif")
        }
    }

    @Test
    fun `rows are asked for in order, at most once, and only those that are needed`() {
        for (orientation in Orientation.entries) {
            val picture = colorful(600, 800)
            pixels(picture, 32, 32, orientation)
            assertEquals(picture.asked.sorted().distinct(), picture.asked, orientation.name)
            assertTrue(picture.asked.size <= 64, "${picture.asked.size} rows")
        }
    }

    @Test
    fun `a photo of 48 megapixels needs 512 of its rows`() {
        val picture = Picture(8000, 6000) { y, x -> (y + x) and 0xff }
        pixels(picture, 256, 256)
        assertTrue(picture.asked.size <= 512)
    }
}

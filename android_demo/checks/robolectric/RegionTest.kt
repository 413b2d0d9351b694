package pipeline.demo

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.BitmapRegionDecoder
import android.graphics.Color
import android.graphics.Rect
import java.io.ByteArrayOutputStream
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.util.ReflectionHelpers
import pipeline.core.Orientation
import pipeline.core.Resize

/** Huge photos in bands, with a stand-in for the region decoder, which Robolectric has none of. */
@RunWith(DemoRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(shadows = [RegionDecoderStandIn::class])
class RegionTest {
    private val phone = Phone()

    @Test
    fun bandsOfAnyHeightGiveTheRowsOfTheWholePhoto() {
        for (golden in phone.goldens.goldens) {
            val photo = phone.golden(golden.file)
            val expected = rows(photo, BitmapDecoder())
            for (bandPx in listOf(1L, 1000L, 9999L)) {
                RegionDecoderStandIn.regions.clear()
                assertArrayEquals(
                    "${golden.file} in bands of $bandPx", expected, rows(photo, BitmapDecoder(wholePx = 0, bandPx = bandPx)),
                )
                assertTrue("$bandPx", RegionDecoderStandIn.regions.all { it.height() == 1 || it.width() * it.height() <= bandPx })
                assertEquals(golden.file, RegionDecoderStandIn.regions.sumOf { it.width() * it.height() }, expected.size)
            }
        }
    }

    @Test
    fun aTransparentPngInBandsLiesOverWhite() {
        val drawn = Bitmap.createBitmap(2, 40, Bitmap.Config.ARGB_8888)
        for (y in 0 until 40) {
            drawn.setPixel(0, y, Color.argb(y * 6, 200, 100, 50))
            drawn.setPixel(1, y, Color.argb(255, y, 2 * y, 3 * y))
        }
        val photo = ByteArrayOutputStream().also { drawn.compress(Bitmap.CompressFormat.PNG, 100, it) }.toByteArray()
        assertArrayEquals(rows(photo, BitmapDecoder()), rows(photo, BitmapDecoder(wholePx = 0, bandPx = 7)))
    }

    @Test
    fun of48MegapixelsOnlyABandIsHeldAtATime() {
        val photo = huge()
        RegionDecoderStandIn.regions.clear()
        BitmapDecoder().open(photo, 100_000_000L).use { source ->
            assertEquals(8000 to 6000, source.widthPx to source.heightPx)
            val pixels = Resize(256, 256).pixels(source, Orientation.UPRIGHT)
            assertTrue("the photo is not flat", pixels.toSet().size > 50)
        }
        val regions = RegionDecoderStandIn.regions
        assertTrue("$regions go back", regions.zipWithNext().all { (one, next) -> one.bottom <= next.top })
        val largest = regions.maxOf { it.width().toLong() * it.height() }
        assertTrue("a band of $largest pixels", largest <= BitmapDecoder.BAND_PX)
    }

    private fun huge(): ByteArray {
        val bitmap = Bitmap.createBitmap(8000, 6000, Bitmap.Config.RGB_565)
        for (row in 0 until 60) {
            for (column in 0 until 80) bitmap.setPixels(tile(row, column), 0, 100, column * 100, row * 100, 100, 100)
        }
        return ByteArrayOutputStream().also { bitmap.compress(Bitmap.CompressFormat.JPEG, 80, it) }.toByteArray()
            .also { bitmap.recycle() }
    }

    private fun tile(row: Int, column: Int) = IntArray(100 * 100) { Color.rgb(row * 4, column * 3, (row * column) and 0xff) }

    private fun rows(photo: ByteArray, decoder: BitmapDecoder): IntArray = decoder.open(photo, 100_000_000L).use { source ->
        val row = IntArray(source.widthPx)
        IntArray(source.widthPx * source.heightPx).also { all ->
            for (y in 0 until source.heightPx) {
                source.readRow(y, row)
                row.copyInto(all, y * source.widthPx)
            }
        }
    }
}

/** Decodes the whole photo with Robolectric's real decoder and cuts regions out of it. */
@Implements(BitmapRegionDecoder::class)
internal class RegionDecoderStandIn {
    private lateinit var whole: Bitmap

    @Implementation
    fun getWidth(): Int = whole.width

    @Implementation
    fun getHeight(): Int = whole.height

    @Implementation
    fun decodeRegion(rect: Rect, options: BitmapFactory.Options): Bitmap {
        check(options.inPreferredConfig == Bitmap.Config.ARGB_8888)
        regions += Rect(rect)
        // A copy, as bands are recycled and a cut of everything is the bitmap itself.
        return Bitmap.createBitmap(whole, rect.left, rect.top, rect.width(), rect.height()).copy(Bitmap.Config.ARGB_8888, false)
    }

    @Implementation
    fun recycle() = whole.recycle()

    companion object {
        val regions = mutableListOf<Rect>()

        @JvmStatic
        @Implementation
        fun newInstance(data: ByteArray, offset: Int, length: Int): BitmapRegionDecoder {
            val made = ReflectionHelpers.callConstructor(
                BitmapRegionDecoder::class.java, ReflectionHelpers.ClassParameter.from(Long::class.javaPrimitiveType, 1L),
            )
            org.robolectric.shadow.api.Shadow.extract<RegionDecoderStandIn>(made).whole =
                BitmapFactory.decodeByteArray(data, offset, length)
            return made
        }
    }
}

package pipeline.demo

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.LinearGradient
import android.graphics.Paint
import android.graphics.Shader
import java.io.ByteArrayOutputStream
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assert.fail
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.GraphicsMode
import pipeline.core.Orientation
import pipeline.core.PhotoProblem
import pipeline.core.PhotoRefusal
import pipeline.core.PixelSource
import pipeline.core.Resize

/** Photos that are broken, strange or huge: a sentence, or the very pixels the host sees. */
@RunWith(DemoRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class BrokenPhotoTest {
    private val phone = Phone()

    @Test
    fun brokenPhotosAreRefusedInWords() {
        val whole = phone.golden("odd-size.jpg")
        val activity = phone.ready().get()
        for ((photo, sentence) in listOf(
            ByteArray(0) to R.string.photo_empty,
            "a letter, not a photo".toByteArray() to R.string.photo_not_an_image,
            whole.copyOf(whole.size / 2) to R.string.photo_damaged,
            whole.copyOf(whole.size - 2) to R.string.photo_damaged,
            whole.copyOf(20) to R.string.photo_damaged,
            stating(whole, 20_000, 20_000) to R.string.photo_too_large,
        )) {
            phone.answered(activity, photo)
            assertEquals(activity.getString(sentence), phone.words(activity))
            assertEquals(emptyList<Any>(), phone.bars(activity))
        }
        phone.answered(activity, whole)
        assertTrue("a whole photo is answered after all that", phone.bars(activity).isNotEmpty())
    }

    @Test
    fun everyTruncationIsRefused() {
        val whole = phone.golden("small.jpg")
        for (length in 0 until whole.size step 7) {
            try {
                BitmapDecoder().open(whole.copyOf(length), LIMIT).close()
                fail("$length of ${whole.size} bytes are taken for a photo")
            } catch (refusal: PhotoRefusal) {
                assertTrue(refusal.problem.name, refusal.problem in listOf(PhotoProblem.EMPTY, PhotoProblem.NOT_AN_IMAGE, PhotoProblem.DAMAGED))
            }
        }
    }

    @Test
    fun aPngWithTransparencyLiesOverWhite() {
        val drawn = Bitmap.createBitmap(3, 1, Bitmap.Config.ARGB_8888)
        drawn.setPixels(intArrayOf(Color.argb(0, 9, 9, 9), Color.argb(255, 10, 20, 30), Color.argb(51, 255, 0, 0)), 0, 3, 0, 0, 3, 1)
        val row = IntArray(3)
        BitmapDecoder().open(encoded(drawn, Bitmap.CompressFormat.PNG), LIMIT).use { it.readRow(0, row) }
        assertEquals(listOf(0xffffff, 0x0a141e, 0xffcccc), row.toList())
    }

    @Test
    fun aPhotoOf48MegapixelsIsAnswered() {
        val photo = huge(8000, 6000)
        val pixels = BitmapDecoder().open(photo, LIMIT).use { Resize(256, 256).pixels(it, Orientation.UPRIGHT) }
        assertTrue("the photo is not flat", pixels.toSet().size > 50)
        val activity = phone.ready().get()
        phone.answered(activity, photo)
        assertTrue(phone.words(activity), phone.bars(activity).isNotEmpty())
    }

    @Test
    fun bandsOfAnyHeightGiveTheSameRows() {
        for (golden in phone.goldens.goldens) {
            val photo = phone.golden(golden.file)
            val expected = BitmapDecoder().open(photo, LIMIT).use(::rows)
            val bitmap = BitmapFactory.decodeByteArray(photo, 0, photo.size)
            for (bandPx in listOf(1L, 1000L, 9999L)) {
                // Robolectric has no region decoder: bands are cut from the decoded photo instead.
                val source = BandedPixels(bitmap.width, bitmap.height, bandPx, { top, count ->
                    Bitmap.createBitmap(bitmap, 0, top, bitmap.width, count)
                }, {})
                assertArrayEquals("${golden.file} in bands of $bandPx", expected, rows(source))
            }
        }
    }

    private fun rows(source: PixelSource): IntArray {
        val row = IntArray(source.widthPx)
        return IntArray(source.widthPx * source.heightPx).also { all ->
            for (y in 0 until source.heightPx) {
                source.readRow(y, row)
                row.copyInto(all, y * source.widthPx)
            }
        }
    }

    /** Changes the size that a baseline JPEG's frame header states (ITU T.81, B.2.2). */
    private fun stating(jpeg: ByteArray, width: Int, height: Int): ByteArray {
        val at = (0 until jpeg.size - 1).first { jpeg[it] == 0xff.toByte() && jpeg[it + 1] == 0xc0.toByte() }
        return jpeg.clone().also {
            it[at + 5] = (height shr 8).toByte()
            it[at + 6] = height.toByte()
            it[at + 7] = (width shr 8).toByte()
            it[at + 8] = width.toByte()
        }
    }

    private fun huge(width: Int, height: Int): ByteArray {
        val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        val paint = Paint().apply {
            shader = LinearGradient(0f, 0f, width.toFloat(), height.toFloat(), Color.rgb(250, 180, 90), Color.rgb(20, 60, 140), Shader.TileMode.CLAMP)
        }
        Canvas(bitmap).drawRect(0f, 0f, width.toFloat(), height.toFloat(), paint)
        return encoded(bitmap, Bitmap.CompressFormat.JPEG).also { bitmap.recycle() }
    }

    private fun encoded(bitmap: Bitmap, format: Bitmap.CompressFormat): ByteArray =
        ByteArrayOutputStream().also { bitmap.compress(format, 90, it) }.toByteArray()

    private companion object {
        const val LIMIT = 100_000_000L
    }
}

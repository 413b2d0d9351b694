package pipeline.demo

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.BitmapRegionDecoder
import android.graphics.Rect
import android.os.Build
import java.io.IOException
import pipeline.core.PhotoDecoder
import pipeline.core.PhotoProblem
import pipeline.core.PhotoRefusal
import pipeline.core.PixelSource

/**
 * Decodes photos with Android's own decoders, which apply neither orientation nor, this way, a
 * colour profile.
 *
 * A photo of more than [wholePx] pixels is decoded in bands of rows of at most [bandPx] pixels,
 * so that 48 megapixels need 32 MB and not 192; the pixels are the same.
 */
class BitmapDecoder(
    private val wholePx: Long = WHOLE_PX,
    private val bandPx: Long = BAND_PX,
) : PhotoDecoder {
    override fun open(photo: ByteArray, maxImagePx: Long): PixelSource {
        if (photo.isEmpty()) throw PhotoRefusal(PhotoProblem.EMPTY, "the image file is empty")
        val format = PhotoFormat.of(photo)
            ?: throw PhotoRefusal(PhotoProblem.NOT_AN_IMAGE, "the file is not a JPEG, PNG or WebP image")
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(photo, 0, photo.size, bounds)
        if (bounds.outWidth <= 0 || bounds.outHeight <= 0) throw damaged("its header cannot be read")
        val pixels = bounds.outWidth.toLong() * bounds.outHeight
        if (pixels > maxImagePx) {
            throw PhotoRefusal(PhotoProblem.TOO_LARGE, "the image has $pixels pixels, more than $maxImagePx")
        }
        if (!format.isWhole(photo)) throw damaged("it is cut off, or its checksums do not hold")
        return try {
            if (pixels > wholePx) inBands(photo) else whole(photo)
        } catch (error: OutOfMemoryError) {
            throw PhotoRefusal(PhotoProblem.NO_MEMORY, "too little memory for $pixels pixels", error)
        }
    }

    private fun whole(photo: ByteArray): PixelSource {
        val bitmap = BitmapFactory.decodeByteArray(photo, 0, photo.size, options()) ?: throw damaged("it cannot be decoded")
        return BandedPixels(bitmap.width, bitmap.height, COPY_PX, { top, rows ->
            Bitmap.createBitmap(bitmap, 0, top, bitmap.width, rows)
        }, bitmap::recycle)
    }

    private fun inBands(photo: ByteArray): PixelSource {
        val decoder = try {
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
                BitmapRegionDecoder.newInstance(photo, 0, photo.size)
            } else {
                @Suppress("DEPRECATION")
                BitmapRegionDecoder.newInstance(photo, 0, photo.size, false)
            }
        } catch (_: IOException) {
            null
        }
        // Not every kind of file can be read in parts everywhere; whole it gives the same pixels,
        // or too little memory is said.
        if (decoder == null) return whole(photo)
        val options = options()
        return BandedPixels(decoder.width, decoder.height, bandPx, { top, rows ->
            decoder.decodeRegion(Rect(0, top, decoder.width, top + rows), options)
        }, decoder::recycle)
    }

    private fun options() = BitmapFactory.Options().apply {
        inPreferredConfig = Bitmap.Config.ARGB_8888
        inScaled = false
    }

    companion object {
        /** Some 64 MB as a bitmap, which every phone of minSdk has to spare. */
        const val WHOLE_PX = 16_000_000L

        /** Some 32 MB; smaller bands cost time, as each is found by reading from the first row. */
        const val BAND_PX = 8_000_000L

        /** Some 4 MB: a decoded bitmap is read in small copies, not copied whole. */
        const val COPY_PX = 1_000_000L
    }
}

internal fun damaged(detail: String, cause: Throwable? = null) =
    PhotoRefusal(PhotoProblem.DAMAGED, "the image is damaged: $detail", cause)

package pipeline.demo

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Matrix
import pipeline.core.Orientation

/** Makes the small upright picture that the screen shows; the classifier never sees it. */
internal object Preview {
    private const val LONG_SIDE_PX = 1280

    /** Returns null for what is not a photo; the classifier says why. */
    fun of(photo: ByteArray): Bitmap? {
        val options = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(photo, 0, photo.size, options)
        val longSide = maxOf(options.outWidth, options.outHeight)
        if (longSide <= 0) return null
        options.inJustDecodeBounds = false
        // Powers of two are what decoders do cheaply.
        options.inSampleSize = Integer.highestOneBit((longSide / LONG_SIDE_PX).coerceAtLeast(1))
        val stored = BitmapFactory.decodeByteArray(photo, 0, photo.size, options) ?: return null
        val orientation = Orientation.of(photo)
        if (orientation == Orientation.UPRIGHT) return stored
        val upright = Bitmap.createBitmap(stored, 0, 0, stored.width, stored.height, matrix(orientation), true)
        stored.recycle()
        return upright
    }

    private fun matrix(orientation: Orientation) = Matrix().apply {
        postScale(if (orientation.flipsColumns) -1f else 1f, if (orientation.flipsRows) -1f else 1f)
        if (orientation.swapsAxes) {
            postConcat(Matrix().apply { setValues(floatArrayOf(0f, 1f, 0f, 1f, 0f, 0f, 0f, 0f, 1f)) })
        }
    }
}

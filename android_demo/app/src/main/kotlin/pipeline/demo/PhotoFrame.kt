package pipeline.demo

import android.content.Context
import android.graphics.Bitmap
import android.util.AttributeSet
import android.view.ViewOutlineProvider
import android.widget.ImageView

/**
 * Shows a picture whole in a frame of 4 to 3 that never takes more than two fifths of the
 * screen's height, so that what is below keeps its place whatever the picture's form.
 */
class PhotoFrame(context: Context, attributes: AttributeSet) : ImageView(context, attributes) {
    init {
        outlineProvider = ViewOutlineProvider.BACKGROUND
        clipToOutline = true
    }

    fun show(picture: Bitmap) {
        scaleType = ScaleType.FIT_CENTER
        setImageBitmap(picture)
    }

    fun showPlaceholder() {
        scaleType = ScaleType.CENTER
        setImageResource(R.drawable.photo_placeholder)
    }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val width = MeasureSpec.getSize(widthMeasureSpec)
        val most = resources.displayMetrics.heightPixels * 2 / 5
        setMeasuredDimension(width, minOf(width * 3 / 4, most))
    }
}

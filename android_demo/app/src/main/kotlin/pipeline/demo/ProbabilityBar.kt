package pipeline.demo

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View

/** Draws a probability as a rounded bar on a track; the row it lies in says it in words. */
class ProbabilityBar(context: Context, attributes: AttributeSet) : View(context, attributes) {
    private val track = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(R.color.track) }
    private val fill = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(R.color.accent_soft) }

    /** From 0 to 1. */
    var probability: Float = 0f
        set(value) {
            field = value.coerceIn(0f, 1f)
            invalidate()
        }

    /** The class that is named stands out. */
    var named: Boolean = false
        set(value) {
            field = value
            fill.color = context.getColor(if (value) R.color.accent else R.color.accent_soft)
            invalidate()
        }

    override fun onDraw(canvas: Canvas) {
        val right = width.toFloat()
        val bottom = height.toFloat()
        val radius = bottom / 2
        canvas.drawRoundRect(0f, 0f, right, bottom, radius, radius, track)
        val filled = right * probability
        val isRightToLeft = layoutDirection == LAYOUT_DIRECTION_RTL
        // Never narrower than round: a sliver would look like nothing.
        val shown = if (probability > 0f) maxOf(filled, bottom) else 0f
        if (isRightToLeft) {
            canvas.drawRoundRect(right - shown, 0f, right, bottom, radius, radius, fill)
        } else {
            canvas.drawRoundRect(0f, 0f, shown, bottom, radius, radius, fill)
        }
    }
}

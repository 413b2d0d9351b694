package pipeline.demo

import java.text.NumberFormat

/** Writes probabilities as percentages, the way the phone's language does. */
internal object Percent {
    /** 0.6318 is 63.2%. */
    fun exact(probability: Float): String = NumberFormat.getPercentInstance().apply {
        minimumFractionDigits = 1
        maximumFractionDigits = 1
    }.format(probability.toDouble())

    /** 0.5 is 50%, 0.125 is 12.5%. */
    fun short(probability: Float): String =
        NumberFormat.getPercentInstance().apply { maximumFractionDigits = 1 }.format(probability.toDouble())

    /** 0.6318 is 63, to be spoken. */
    fun number(probability: Float): String = NumberFormat.getIntegerInstance().format((probability * 100).toDouble())
}

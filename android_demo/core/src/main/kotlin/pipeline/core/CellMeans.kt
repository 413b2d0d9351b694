package pipeline.core

import kotlin.math.abs

/** Averages resized pixels over a 4 x 4 grid, to tell a picture nearly the same from another. */
internal object CellMeans {
    private const val GRID = 4

    /** Returns how far the mean of a channel in a cell is off at most, of 255. */
    fun largestDifference(pixels: ByteArray, image: ImageSpec, expected: List<List<Double>>): Double {
        if (expected.size != GRID * GRID || expected.any { it.size != Resize.CHANNELS }) return Double.POSITIVE_INFINITY
        var largest = 0.0
        for (cell in 0 until GRID * GRID) {
            val rows = span(cell / GRID, image.heightPx)
            val columns = span(cell % GRID, image.widthPx)
            for (channel in 0 until Resize.CHANNELS) {
                var sum = 0L
                for (y in rows) {
                    for (x in columns) sum += pixels[(y * image.widthPx + x) * Resize.CHANNELS + channel].toInt() and 0xff
                }
                val mean = sum.toDouble() / (rows.count() * columns.count())
                largest = maxOf(largest, abs(mean - expected[cell][channel]))
            }
        }
        return largest
    }

    private fun span(cell: Int, size: Int): IntRange = cell * size / GRID until (cell + 1) * size / GRID
}

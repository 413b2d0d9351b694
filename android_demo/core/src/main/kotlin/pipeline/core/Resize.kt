package pipeline.core

import kotlin.math.ceil
import kotlin.math.floor

/**
 * Resizes a photo to uint8 RGB pixels: bilinear, half-pixel centres, no antialiasing, float32,
 * columns before rows, rounded half to even.
 *
 * The formula is TensorFlow's ResizeBilinear with half_pixel_centers, which the image contract
 * names: source = (target + 0.5) * (in / out) - 0.5. Each target pixel needs four stored pixels,
 * so only the rows and columns that are needed are kept, whatever the size of the photo.
 */
class Resize(private val heightPx: Int, private val widthPx: Int) {
    /** Returns the resized pixels, uint8 RGB, rows first, of the upright photo: heightPx * widthPx * 3 bytes. */
    fun pixels(source: PixelSource, orientation: Orientation): ByteArray {
        val swaps = orientation.swapsAxes
        val rows = Taps(heightPx, if (swaps) source.widthPx else source.heightPx)
        val columns = Taps(widthPx, if (swaps) source.heightPx else source.widthPx)
        val grid = Grid(source, orientation, if (swaps) columns else rows, if (swaps) rows else columns)
        val pixels = ByteArray(heightPx * widthPx * CHANNELS)
        var place = 0
        for (y in 0 until heightPx) {
            for (x in 0 until widthPx) {
                val topLeft = grid.at(rows.lower[y], columns.lower[x])
                val topRight = grid.at(rows.lower[y], columns.upper[x])
                val bottomLeft = grid.at(rows.upper[y], columns.lower[x])
                val bottomRight = grid.at(rows.upper[y], columns.upper[x])
                for (shift in CHANNEL_SHIFTS) {
                    val top = lerp(channel(topLeft, shift), channel(topRight, shift), columns.weight[x])
                    val bottom = lerp(channel(bottomLeft, shift), channel(bottomRight, shift), columns.weight[x])
                    pixels[place++] = Math.rint(lerp(top, bottom, rows.weight[y]).toDouble()).toInt().toByte()
                }
            }
        }
        return pixels
    }

    private fun channel(pixel: Int, shift: Int): Float = (pixel shr shift and 0xff).toFloat()

    private fun lerp(start: Float, end: Float, weight: Float): Float = start + (end - start) * weight

    companion object {
        const val CHANNELS = 3
        private val CHANNEL_SHIFTS = intArrayOf(16, 8, 0)
    }
}

/** Holds which two source places each target place lies between, and how far towards the second. */
internal class Taps(outSize: Int, val inSize: Int) {
    val lower = IntArray(outSize)
    val upper = IntArray(outSize)
    val weight = FloatArray(outSize)

    init {
        val scale = inSize.toFloat() / outSize.toFloat()
        for (i in 0 until outSize) {
            val source = (i.toFloat() + 0.5f) * scale - 0.5f
            val below = floor(source)
            lower[i] = below.toInt().coerceAtLeast(0)
            upper[i] = ceil(source).toInt().coerceIn(0, inSize - 1)
            weight[i] = source - below
        }
    }
}

/** Keeps the stored pixels that the taps need, and finds them by upright row and column. */
private class Grid(
    source: PixelSource,
    private val orientation: Orientation,
    rowTaps: Taps,
    columnTaps: Taps,
) {
    private val rowAt = places(rowTaps, orientation.flipsRows)
    private val columnAt = places(columnTaps, orientation.flipsColumns)
    private val lastRow = source.heightPx - 1
    private val lastColumn = source.widthPx - 1
    private val kept: Array<IntArray>

    init {
        val columns = columnAt.indices.filter { columnAt[it] >= 0 }.toIntArray()
        val row = IntArray(source.widthPx)
        kept = rowAt.indices.filter { rowAt[it] >= 0 }.map { y ->
            source.readRow(y, row)
            IntArray(columns.size) { row[columns[it]] }
        }.toTypedArray()
    }

    /** Returns the pixel at an upright place. */
    fun at(y: Int, x: Int): Int {
        val row = if (orientation.swapsAxes) x else y
        val column = if (orientation.swapsAxes) y else x
        return kept[rowAt[if (orientation.flipsRows) lastRow - row else row]][
            columnAt[if (orientation.flipsColumns) lastColumn - column else column],
        ]
    }

    // For each stored row or column, its place among the kept ones, or -1.
    private fun places(taps: Taps, flips: Boolean): IntArray {
        val needed = BooleanArray(taps.inSize)
        for (i in taps.lower.indices) {
            for (tap in intArrayOf(taps.lower[i], taps.upper[i])) {
                needed[if (flips) taps.inSize - 1 - tap else tap] = true
            }
        }
        var count = 0
        return IntArray(taps.inSize) { if (needed[it]) count++ else -1 }
    }
}

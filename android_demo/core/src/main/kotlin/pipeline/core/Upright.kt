package pipeline.core

/** Holds the size and the hash of a photo's decoded pixels, its orientation applied. */
class Upright(val widthPx: Int, val heightPx: Int, val sha256: String) {
    companion object {
        /** Hashes RGB bytes, rows first; holds the whole photo, so it is for goldens only. */
        fun of(photo: ByteArray, decoder: PhotoDecoder, maxImagePx: Long): Upright {
            val orientation = Orientation.of(photo)
            decoder.open(photo, maxImagePx).use { source ->
                val rows = Array(source.heightPx) { y -> IntArray(source.widthPx).also { source.readRow(y, it) } }
                val height = if (orientation.swapsAxes) source.widthPx else source.heightPx
                val width = if (orientation.swapsAxes) source.heightPx else source.widthPx
                val hash = Hash()
                val bytes = ByteArray(width * Resize.CHANNELS)
                for (y in 0 until height) {
                    for (x in 0 until width) {
                        val row = if (orientation.swapsAxes) x else y
                        val column = if (orientation.swapsAxes) y else x
                        val pixel = rows[if (orientation.flipsRows) source.heightPx - 1 - row else row][
                            if (orientation.flipsColumns) source.widthPx - 1 - column else column,
                        ]
                        bytes[x * Resize.CHANNELS] = (pixel shr 16).toByte()
                        bytes[x * Resize.CHANNELS + 1] = (pixel shr 8).toByte()
                        bytes[x * Resize.CHANNELS + 2] = pixel.toByte()
                    }
                    hash.add(bytes)
                }
                return Upright(width, height, hash.hex())
            }
        }
    }
}

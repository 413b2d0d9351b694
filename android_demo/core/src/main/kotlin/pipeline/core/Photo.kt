package pipeline.core

import java.io.Closeable

/** Gives the pixels of one decoded photo, as stored: the orientation is not applied. */
interface PixelSource : Closeable {
    val widthPx: Int
    val heightPx: Int

    /**
     * Writes row [y] to [into], 0xRRGGBB each, transparency already over white. Rows are asked
     * for in increasing order, each at most once, so that a source may decode in bands.
     *
     * @throws PhotoRefusal the photo is damaged there, or memory ran out.
     */
    fun readRow(y: Int, into: IntArray)
}

/** Opens encoded photos. */
interface PhotoDecoder {
    /**
     * Opens a photo without applying its EXIF orientation or a colour profile.
     *
     * @throws PhotoRefusal empty, not an image, damaged, or of more than [maxImagePx] pixels.
     */
    fun open(photo: ByteArray, maxImagePx: Long): PixelSource
}

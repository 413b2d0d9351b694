package pipeline.core

import com.drew.imaging.ImageMetadataReader
import com.drew.imaging.ImageProcessingException
import com.drew.metadata.MetadataException
import com.drew.metadata.exif.ExifIFD0Directory
import java.io.ByteArrayInputStream
import java.io.IOException

/**
 * Names the eight ways a camera may have held its sensor (Exif 2.32, tag 0x0112).
 *
 * [swapsAxes], [flipsRows] and [flipsColumns] lead from an upright pixel to the stored one: swap
 * its row and column if asked, then count rows or columns from the far end.
 */
enum class Orientation(
    val exif: Int,
    val swapsAxes: Boolean,
    val flipsRows: Boolean,
    val flipsColumns: Boolean,
) {
    UPRIGHT(1, false, false, false),
    MIRRORED(2, false, false, true),
    UPSIDE_DOWN(3, false, true, true),
    MIRRORED_UPSIDE_DOWN(4, false, true, false),
    TRANSPOSED(5, true, false, false),
    TURNED_LEFT(6, true, true, false),
    TRANSVERSED(7, true, true, true),
    TURNED_RIGHT(8, true, false, true),
    ;

    companion object {
        /** Reads the orientation a photo states; upright where it states none or a bad one. */
        fun of(photo: ByteArray): Orientation {
            val stated = try {
                ImageMetadataReader.readMetadata(ByteArrayInputStream(photo), photo.size.toLong())
                    .getDirectoriesOfType(ExifIFD0Directory::class.java)
                    .firstOrNull { it.containsTag(ExifIFD0Directory.TAG_ORIENTATION) }
                    ?.getInt(ExifIFD0Directory.TAG_ORIENTATION)
            } catch (_: ImageProcessingException) {
                // What cannot be read states nothing; whether it is a photo is the decoder's to say.
                null
            } catch (_: MetadataException) {
                null
            } catch (_: IOException) {
                null
            }
            return entries.firstOrNull { it.exif == stated } ?: UPRIGHT
        }
    }
}

package pipeline.demo

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32

/**
 * Names the kinds of photo the app reads, and tells whether a file of that kind is whole.
 *
 * Android decodes what there is of a cut-off file and says nothing, which would classify a photo
 * that is half grey; the host refuses such files, so the phone does too. GIF, HEIF and TIFF are
 * no kinds here, since no golden can prove them: Android turns HEIF by its own rules, for one.
 */
enum class PhotoFormat {
    JPEG {
        override fun isWhole(photo: ByteArray) = JpegMarkers(photo).reachesEnd()
    },
    PNG {
        override fun isWhole(photo: ByteArray) = isWholePng(photo)
    },
    WEBP {
        override fun isWhole(photo: ByteArray): Boolean {
            val stated = ByteBuffer.wrap(photo).order(ByteOrder.LITTLE_ENDIAN).getInt(RIFF_SIZE_AT).toLong() and UNSIGNED
            return stated + RIFF_HEADER_BYTES <= photo.size
        }
    },
    ;

    /** Tells whether the file reaches its own end; for PNG also whether its checksums hold. */
    abstract fun isWhole(photo: ByteArray): Boolean

    companion object {
        private const val RIFF_SIZE_AT = 4
        private const val RIFF_HEADER_BYTES = 8
        private const val WEBP_AT = 8
        private const val WEBP_HEADER_BYTES = 12

        /** Returns the kind that the first bytes state, or null. */
        fun of(photo: ByteArray): PhotoFormat? = when {
            photo.startsWith(0, 0xff, 0xd8, 0xff) -> JPEG
            photo.startsWith(0, 0x89, 'P'.code, 'N'.code, 'G'.code, '\r'.code, '\n'.code, 0x1a, '\n'.code) -> PNG
            photo.size >= WEBP_HEADER_BYTES && photo.says(0, "RIFF") && photo.says(WEBP_AT, "WEBP") -> WEBP
            else -> null
        }

        private fun ByteArray.says(at: Int, text: String) = startsWith(at, *text.map { it.code }.toIntArray())

        private fun ByteArray.startsWith(at: Int, vararg expected: Int): Boolean =
            size >= at + expected.size && expected.indices.all { this[at + it] == expected[it].toByte() }
    }
}

private const val UNSIGNED = 0xffffffffL

/** Follows the markers of a JPEG (ITU T.81, annex B) to its end of image. */
private class JpegMarkers(private val photo: ByteArray) {
    private var at = 2
    private var scanned = false

    /**
     * Tells whether the end-of-image marker comes after at least one scan. An end marker
     * elsewhere, such as that of a thumbnail in the EXIF block or before a trailer, is no sign.
     */
    fun reachesEnd(): Boolean {
        while (at + 1 < photo.size) {
            if (byteAt(at) != 0xff) return false
            val marker = byteAt(at + 1)
            when {
                marker == 0xff -> at++
                marker == END -> return scanned
                marker == 0x01 || marker in RESTARTS -> at += 2
                else -> {
                    if (at + 3 >= photo.size) return false
                    at += 2 + byteAt(at + 2).shl(8) + byteAt(at + 3)
                    if (marker == START_OF_SCAN) skipScan()
                }
            }
        }
        return false
    }

    // Inside a scan FF is followed by 00 where it is data; restarts belong to the scan.
    private fun skipScan() {
        scanned = true
        while (at + 1 < photo.size) {
            if (byteAt(at) == 0xff) {
                val next = byteAt(at + 1)
                if (next != 0 && next != 0xff && next !in RESTARTS) return
            }
            at++
        }
    }

    private fun byteAt(place: Int): Int = photo[place].toInt() and 0xff

    private companion object {
        const val END = 0xd9
        const val START_OF_SCAN = 0xda
        val RESTARTS = 0xd0..0xd7
    }
}

// PNG specification, 5.3: length, type, data, CRC-32 of type and data. Up to IEND all must hold.
private fun isWholePng(photo: ByteArray): Boolean {
    val bytes = ByteBuffer.wrap(photo)
    var at = PNG_SIGNATURE_BYTES
    while (at + PNG_CHUNK_FRAME_BYTES <= photo.size) {
        val length = bytes.getInt(at).toLong() and UNSIGNED
        val end = at + PNG_CHUNK_FRAME_BYTES + length
        if (end > photo.size) return false
        val crc = CRC32().apply { update(photo, at + 4, length.toInt() + 4) }
        if (crc.value != bytes.getInt((end - 4).toInt()).toLong() and UNSIGNED) return false
        if (bytes.getInt(at + 4) == IEND) return true
        at = end.toInt()
    }
    return false
}

private const val PNG_SIGNATURE_BYTES = 8
private const val PNG_CHUNK_FRAME_BYTES = 12
private const val IEND = 0x49454e44

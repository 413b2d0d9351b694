package pipeline.host

import java.awt.image.BufferedImage
import java.awt.image.IndexColorModel
import java.io.ByteArrayInputStream
import java.io.IOException
import javax.imageio.IIOException
import javax.imageio.ImageIO
import javax.imageio.ImageReader
import javax.imageio.event.IIOReadWarningListener
import pipeline.core.PhotoDecoder
import pipeline.core.PhotoProblem
import pipeline.core.PhotoRefusal
import pipeline.core.PixelSource

/**
 * Decodes with the JDK, in place of the phone's own decoder; JPEG, PNG and BMP.
 *
 * Samples are taken from the raster: colour models would apply embedded profiles.
 */
class ImageIoDecoder : PhotoDecoder {
    override fun open(photo: ByteArray, maxImagePx: Long): PixelSource {
        if (photo.isEmpty()) throw PhotoRefusal(PhotoProblem.EMPTY, "the image file is empty")
        ImageIO.createImageInputStream(ByteArrayInputStream(photo)).use { stream ->
            val readers = ImageIO.getImageReaders(stream)
            if (!readers.hasNext()) throw PhotoRefusal(PhotoProblem.NOT_AN_IMAGE, "not an image the JVM host reads")
            val reader = readers.next()
            try {
                reader.setInput(stream, true, true)
                val pixels = reader.getWidth(0).toLong() * reader.getHeight(0)
                if (pixels > maxImagePx) {
                    throw PhotoRefusal(PhotoProblem.TOO_LARGE, "the image has $pixels pixels, more than $maxImagePx")
                }
                val damage = mutableListOf<String>()
                reader.addIIOReadWarningListener(IIOReadWarningListener { _: ImageReader, warning: String -> damage += warning })
                val image = reader.read(0)
                damage.firstOrNull { "remature end" in it }?.let { throw PhotoRefusal(PhotoProblem.DAMAGED, "the image is truncated: $it") }
                return RasterPixels(image)
            } catch (error: IIOException) {
                throw damaged(error)
            } catch (error: IOException) {
                throw damaged(error)
            } catch (error: IndexOutOfBoundsException) {
                throw damaged(error)
            } finally {
                reader.dispose()
            }
        }
    }

    private fun damaged(error: Exception) =
        PhotoRefusal(PhotoProblem.DAMAGED, "the image is damaged, or of a kind the JVM host does not read: ${error.message}", error)
}

private class RasterPixels(private val image: BufferedImage) : PixelSource {
    override val widthPx: Int get() = image.width
    override val heightPx: Int get() = image.height
    private val palette = image.colorModel as? IndexColorModel
    private val bands = image.raster.numBands
    private val shift = image.sampleModel.getSampleSize(0) - BITS
    private val samples = IntArray(image.width * bands)

    init {
        if (palette == null && shift != 0 && shift != BITS) {
            throw PhotoRefusal(PhotoProblem.NOT_AN_IMAGE, "samples of ${shift + BITS} bits are not read by the JVM host")
        }
    }

    override fun readRow(y: Int, into: IntArray) {
        image.raster.getPixels(0, y, widthPx, 1, samples)
        for (x in 0 until widthPx) {
            val at = x * bands
            into[x] = when {
                palette != null -> overWhite(
                    palette.getRed(samples[at]), palette.getGreen(samples[at]), palette.getBlue(samples[at]),
                    palette.getAlpha(samples[at]),
                )
                bands <= 2 -> sample(at).let { overWhite(it, it, it, if (bands == 2) sample(at + 1) else OPAQUE) }
                else -> overWhite(sample(at), sample(at + 1), sample(at + 2), if (bands == 4) sample(at + 3) else OPAQUE)
            }
        }
    }

    override fun close() = image.flush()

    private fun sample(at: Int): Int = samples[at] shr shift

    private fun overWhite(red: Int, green: Int, blue: Int, alpha: Int): Int {
        fun one(value: Int) = (value * alpha + OPAQUE * (OPAQUE - alpha) + OPAQUE / 2) / OPAQUE
        return one(red).shl(16) or one(green).shl(8) or one(blue)
    }

    private companion object {
        const val BITS = 8
        const val OPAQUE = 255
    }
}

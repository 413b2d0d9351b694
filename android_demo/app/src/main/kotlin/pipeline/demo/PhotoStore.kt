package pipeline.demo

import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/**
 * Keeps private copies of chosen photos in the cache, which no backup touches, so that a screen
 * can be made anew without asking again. For the worker.
 */
internal class PhotoStore(cache: File) {
    private val folder = File(cache, "photos")

    /**
     * Copies a photo under [name] and returns its bytes.
     *
     * @throws PhotoFailed it cannot be read, is of more than [LIMIT_BYTES], or cannot be kept.
     */
    fun keep(name: String, open: () -> InputStream?): ByteArray {
        val file = File(folder, name)
        try {
            copy(open, file)
            return file.readBytes()
        } catch (failed: PhotoFailed) {
            file.delete()
            throw failed
        } catch (error: IOException) {
            file.delete()
            throw PhotoFailed(PhotoFailure.NOT_KEPT, error)
        }
    }

    /** Returns the bytes kept under [name], or null where the system cleared the cache. */
    fun read(name: String): ByteArray? = try {
        File(folder, name).readBytes()
    } catch (_: FileNotFoundException) {
        null
    }

    fun delete(name: String) {
        File(folder, name).delete()
    }

    /** Deletes what screens that were swiped away left behind. */
    fun forgetOld() {
        val oldest = System.currentTimeMillis() - KEPT_MS
        folder.listFiles().orEmpty().filter { it.lastModified() < oldest }.forEach { it.delete() }
    }

    private fun copy(open: () -> InputStream?, file: File) {
        val source = reading { open() } ?: throw PhotoFailed(PhotoFailure.UNREADABLE)
        source.use {
            folder.mkdirs()
            file.outputStream().use { kept ->
                val buffer = ByteArray(DEFAULT_BUFFER_SIZE)
                var total = 0L
                while (true) {
                    val count = reading { source.read(buffer) }
                    if (count < 0) return
                    total += count
                    if (total > LIMIT_BYTES) throw PhotoFailed(PhotoFailure.TOO_MANY_BYTES)
                    kept.write(buffer, 0, count)
                }
            }
        }
    }

    // The photo lies with another app, whose faults arrive here as its own runtime exceptions.
    private fun <T> reading(read: () -> T): T = try {
        read()
    } catch (error: IOException) {
        throw PhotoFailed(PhotoFailure.UNREADABLE, error)
    } catch (error: RuntimeException) {
        throw PhotoFailed(PhotoFailure.UNREADABLE, error)
    }

    companion object {
        const val LIMIT_BYTES = 50_000_000L
        private const val KEPT_MS = 24L * 60 * 60 * 1000
    }
}

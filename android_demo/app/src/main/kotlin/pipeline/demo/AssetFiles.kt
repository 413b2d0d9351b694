package pipeline.demo

import android.content.res.AssetManager
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import pipeline.core.FileStore
import pipeline.core.Refusal

/** Reads the model folder from the app's assets. */
class AssetFiles(private val assets: AssetManager) : FileStore {
    override fun list(folder: String): List<String> =
        assets.list(if (folder.isEmpty()) FOLDER else "$FOLDER/$folder").orEmpty().sorted()

    // A package holds files only, and a folder only where a file is in it.
    override fun all(): List<String> = walk("").sorted()

    private fun walk(folder: String): List<String> = list(folder).flatMap { name ->
        val path = if (folder.isEmpty()) name else "$folder/$name"
        walk(path).ifEmpty { listOf(path) }
    }

    override fun read(path: String): ByteArray = assets.open("$FOLDER/$path").use { it.readBytes() }

    // The model is stored uncompressed, so its pages are mapped and never copied to the heap.
    override fun map(path: String): ByteBuffer {
        // Only to tell a missing file from one that was packed compressed, which Android confuses.
        assets.open("$FOLDER/$path").close()
        val descriptor = try {
            assets.openFd("$FOLDER/$path")
        } catch (error: FileNotFoundException) {
            throw Refusal("The model file cannot be read: it is stored compressed in the app.", error)
        }
        return descriptor.use { file ->
            FileInputStream(file.fileDescriptor).channel.use { channel ->
                channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
            }
        }
    }

    private companion object {
        const val FOLDER = "model"
    }
}

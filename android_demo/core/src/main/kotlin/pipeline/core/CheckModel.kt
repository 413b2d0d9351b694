package pipeline.core

import java.io.File
import java.io.FileNotFoundException
import java.nio.ByteBuffer
import kotlin.system.exitProcess

/** Gives the files of a folder on disk. */
class FolderFiles(private val root: File) : FileStore {
    override fun list(folder: String): List<String> = (if (folder.isEmpty()) root else File(root, folder)).list()?.sorted().orEmpty()

    override fun all(): List<String> {
        val found = mutableListOf<String>()
        val special = mutableListOf<String>()
        fun walk(folder: File, prefix: String) {
            val real = folder.canonicalFile
            for (name in real.list().orEmpty().sorted()) {
                val one = File(real, name)
                when {
                    // A link's own path is not its canonical one, wherever it leads.
                    one.canonicalFile != one -> special += prefix + name
                    one.isDirectory -> walk(one, "$prefix$name/")
                    one.isFile -> found += prefix + name
                    else -> special += prefix + name
                }
            }
        }
        walk(root, "")
        special.minOrNull()?.let { throw Refusal("The bundle holds what is no plain file: $it.", Reason.SPECIAL_FILES) }
        return found.sorted()
    }

    override fun read(path: String): ByteArray = whole(path).readBytes()

    override fun map(path: String): ByteBuffer {
        val bytes = read(path)
        return ByteBuffer.allocateDirect(bytes.size).put(bytes).apply { rewind() }
    }

    private fun whole(path: String): File =
        File(root, path).also { if (!it.isFile) throw FileNotFoundException(path) }
}

/** Checks the model folder before the app is built: exit code 0, or 1 with one sentence. */
fun main(args: Array<String>) {
    if (args.size != 2) {
        System.err.println("usage: CheckModelKt MODEL_FOLDER RUNTIME_VERSION")
        exitProcess(2)
    }
    try {
        val bundle = Bundle.open(FolderFiles(File(args[0])), args[1])
        val what = "${bundle.description.labels.names.size} classes, ${bundle.modelSha256.take(12)}"
        println(if (bundle.proven) "Proven model: $what." else "Model without its proof: $what. The self-test has nothing to check.")
    } catch (refusal: Refusal) {
        System.err.println(refusal.message)
        exitProcess(1)
    }
}

package pipeline.demo

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

/**
 * Lends single files to the apps that are granted them: the photo a camera app is to write, and
 * the recording that is shared. Files lie in one folder of the cache and have fixed forms of name.
 */
class SharedFiles : ContentProvider() {
    override fun onCreate(): Boolean = true

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        val file = fileOf(uri)
        // The system may clear the cache at any time, folders included.
        if ('w' in mode) file.parentFile?.mkdirs()
        return ParcelFileDescriptor.open(file, ParcelFileDescriptor.parseMode(mode))
    }

    override fun getType(uri: Uri): String =
        if (fileOf(uri).extension == "json") "application/json" else "image/jpeg"

    override fun query(
        uri: Uri,
        projection: Array<out String>?,
        selection: String?,
        selectionArgs: Array<out String>?,
        sortOrder: String?,
    ): Cursor {
        val file = fileOf(uri)
        val columns = projection ?: arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)
        return MatrixCursor(columns, 1).apply {
            addRow(
                columns.map { column ->
                    when (column) {
                        OpenableColumns.DISPLAY_NAME -> file.name
                        OpenableColumns.SIZE -> file.length()
                        else -> null
                    }
                },
            )
        }
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri = throw UnsupportedOperationException("read and write only")

    override fun delete(uri: Uri, selection: String?, selectionArgs: Array<out String>?): Int =
        throw UnsupportedOperationException("read and write only")

    override fun update(uri: Uri, values: ContentValues?, selection: String?, selectionArgs: Array<out String>?): Int =
        throw UnsupportedOperationException("read and write only")

    private fun fileOf(uri: Uri): File {
        val name = uri.pathSegments.singleOrNull() ?: throw FileNotFoundException("$uri")
        if (!NAME.matches(name)) throw FileNotFoundException("$uri")
        return file(context!!, name)
    }

    companion object {
        // The manifest says the same.
        private const val AUTHORITY = "pipeline.demo.files"
        private val NAME = Regex("photo-[0-9a-f-]{36}\\.jpg|recording\\.json")
        const val RECORDING = "recording.json"

        fun photoName(uuid: String): String = "photo-$uuid.jpg"

        fun file(context: Context, name: String): File = File(File(context.cacheDir, "shared"), name)

        fun uri(name: String): Uri = Uri.Builder().scheme("content").authority(AUTHORITY).appendPath(name).build()
    }
}

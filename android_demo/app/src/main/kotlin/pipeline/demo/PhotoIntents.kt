package pipeline.demo

import android.content.ClipData
import android.content.ContentResolver
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.provider.MediaStore

/** Builds and reads the intents through which photos come; none of them needs a permission. */
internal object PhotoIntents {
    private val TYPES = arrayOf("image/jpeg", "image/png", "image/webp")

    fun choose(): Intent =
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
            Intent(MediaStore.ACTION_PICK_IMAGES).setType("image/*")
        } else {
            Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*")
                .putExtra(Intent.EXTRA_MIME_TYPES, TYPES)
        }

    /** Asks a camera app to write the photo to [output]. */
    fun take(output: Uri): Intent = Intent(MediaStore.ACTION_IMAGE_CAPTURE)
        .putExtra(MediaStore.EXTRA_OUTPUT, output)
        .addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION or Intent.FLAG_GRANT_READ_URI_PERMISSION)
        // Grants reach the camera app only by way of the clip.
        .apply { clipData = ClipData.newRawUri(null, output) }

    fun isShared(intent: Intent): Boolean = intent.action == Intent.ACTION_SEND

    /**
     * Returns the photo that another app shared, or null. A `file:` address would be opened
     * with this app's rights, so another app could have private files of this one shown.
     */
    fun shared(intent: Intent): Uri? {
        val uri = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
            intent.getParcelableExtra(Intent.EXTRA_STREAM, Uri::class.java)
        } else {
            @Suppress("DEPRECATION")
            intent.getParcelableExtra(Intent.EXTRA_STREAM)
        }
        return uri?.takeIf { it.scheme == ContentResolver.SCHEME_CONTENT }
    }
}

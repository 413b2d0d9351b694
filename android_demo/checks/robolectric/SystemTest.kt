package pipeline.demo

import android.app.Activity
import android.content.Intent
import android.content.pm.ApplicationInfo
import android.content.pm.PackageManager
import android.graphics.Insets
import android.net.Uri
import android.os.Build
import android.provider.MediaStore
import android.provider.OpenableColumns
import android.view.View
import android.view.WindowInsets
import java.io.FileNotFoundException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.GraphicsMode
import org.robolectric.util.ReflectionHelpers

/** What the app promises the system, and what the system does to it. */
@RunWith(DemoRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class SystemTest {
    private val phone = Phone()

    @Test
    fun theAppAsksForNoPermissionAndIsNotBackedUp() {
        val info = phone.app.packageManager.getPackageInfo(
            phone.app.packageName,
            PackageManager.GET_PERMISSIONS or PackageManager.GET_ACTIVITIES or PackageManager.GET_PROVIDERS,
        )
        assertNull(info.requestedPermissions?.toList())
        assertEquals(0, checkNotNull(info.applicationInfo).flags and ApplicationInfo.FLAG_ALLOW_BACKUP)
        assertEquals(
            listOf(MainActivity::class.java.name),
            checkNotNull(info.activities).filter { it.exported }.map { it.name },
        )
        val provider = checkNotNull(info.providers).single()
        assertFalse("anyone may read the provider", provider.exported)
        assertTrue("nobody can be granted a file", provider.grantUriPermissions)
        assertEquals(SharedFiles.uri("recording.json").authority, provider.authority)
    }

    @Test
    fun onlyImagesOfOtherAppsFindTheApp() {
        fun takes(type: String) = phone.app.packageManager.queryIntentActivities(
            Intent(Intent.ACTION_SEND).setType(type).setPackage(phone.app.packageName), PackageManager.MATCH_DEFAULT_ONLY,
        ).isNotEmpty()
        assertTrue(takes("image/jpeg"))
        assertFalse(takes("text/plain"))
    }

    @Test
    fun olderPhonesAreAskedForADocument() {
        val now = Build.VERSION.SDK_INT
        try {
            ReflectionHelpers.setStaticField(Build.VERSION::class.java, "SDK_INT", Build.VERSION_CODES.S)
            val intent = PhotoIntents.choose()
            assertEquals(Intent.ACTION_OPEN_DOCUMENT, intent.action)
            assertEquals(setOf(Intent.CATEGORY_OPENABLE), intent.categories)
        } finally {
            ReflectionHelpers.setStaticField(Build.VERSION::class.java, "SDK_INT", now)
        }
        assertEquals(MediaStore.ACTION_PICK_IMAGES, PhotoIntents.choose().action)
    }

    @Test
    fun theScreenKeepsClearOfBarsAndCutouts() {
        val activity = phone.ready().get()
        val root = activity.findViewById<View>(R.id.root)
        val insets = WindowInsets.Builder()
            .setInsets(WindowInsets.Type.statusBars(), Insets.of(0, 60, 0, 0))
            .setInsets(WindowInsets.Type.navigationBars(), Insets.of(0, 0, 0, 48))
            .setInsets(WindowInsets.Type.displayCutout(), Insets.of(30, 0, 0, 0))
            .build()
        root.dispatchApplyWindowInsets(insets)
        assertEquals(
            listOf(30, 60, 0, 48), listOf(root.paddingLeft, root.paddingTop, root.paddingRight, root.paddingBottom),
        )
    }

    @Test
    fun theProviderLendsOnlyFilesOfItsOwn() {
        val resolver = phone.app.contentResolver
        val good = SharedFiles.uri(SharedFiles.RECORDING)
        resolver.openFileDescriptor(good, "w")!!.use { it.checkError() }
        assertEquals("application/json", resolver.getType(good))
        resolver.query(good, null, null, null, null)!!.use { cursor ->
            assertTrue(cursor.moveToFirst())
            assertEquals("recording.json", cursor.getString(cursor.getColumnIndexOrThrow(OpenableColumns.DISPLAY_NAME)))
        }
        val base = Uri.parse("content://${good.authority}")
        for (name in listOf("../photos/x", "secret.jpg", "photo-1.jpg", "recording.json.tmp", "..")) {
            assertThrows(FileNotFoundException::class.java) {
                resolver.openFileDescriptor(base.buildUpon().appendPath(name).build(), "r")
            }
        }
        assertThrows(FileNotFoundException::class.java) {
            resolver.openFileDescriptor(Uri.parse("$base/a/recording.json"), "r")
        }
    }

    @Test
    fun aPhotoIsForgottenWhenItsScreenIsClosed() {
        val controller = phone.ready()
        val activity: Activity = controller.get()
        phone.answered(controller.get(), phone.golden(phone.goldens.goldens.first().file))
        val kept = java.io.File(phone.app.cacheDir, "photos")
        assertEquals(1, kept.list().orEmpty().size)
        activity.finish()
        controller.pause().stop().destroy()
        phone.waitFor("the photo to be forgotten") { kept.list().orEmpty().isEmpty() }
    }
}

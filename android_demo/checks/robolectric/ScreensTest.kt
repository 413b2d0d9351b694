package pipeline.demo

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.ImageButton
import android.widget.ScrollView
import android.widget.TextView
import java.io.File
import kotlin.math.pow
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.GraphicsMode

/** Draws every screen to a PNG, in both themes and at 200% font, and holds what can be measured. */
@RunWith(DemoRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ScreensTest {
    private val phone = Phone()
    private val photo get() = phone.golden("odd-size.jpg")

    @Test fun light() = everyScreen("light")

    @Test
    fun dark() {
        RuntimeEnvironment.setQualifiers("+night")
        everyScreen("dark")
    }

    @Test
    fun largeFont() {
        RuntimeEnvironment.setFontScale(2f)
        everyScreen("font-200")
    }

    @Test
    fun largeFontInTheDark() {
        RuntimeEnvironment.setQualifiers("+night")
        RuntimeEnvironment.setFontScale(2f)
        everyScreen("dark-font-200")
    }

    @Test
    fun landscape() {
        RuntimeEnvironment.setQualifiers("+land")
        val activity = phone.ready().get()
        phone.answered(activity, photo)
        draw(activity, "landscape-result")
    }

    @Test
    fun smallScreenWithLargeFont() {
        RuntimeEnvironment.setQualifiers("w320dp-h480dp-xhdpi")
        RuntimeEnvironment.setFontScale(2f)
        everyScreen("small-font-200")
    }

    @Test
    fun unsure() {
        phone.install(::sayUnsure)
        val activity = phone.ready().get()
        phone.answered(activity, photo)
        assertEquals(activity.getString(R.string.unsure), phone.headline(activity))
        draw(activity, "light-unsure")
    }

    @Test
    fun aClassThatReachesItsThresholdIsNamed() {
        // Of every class, since an 8-bit answer may be 0 for any one of them.
        val thresholds = phone.goldens.labels.joinToString(", ") { "\"$it\": 0.0000001" }
        phone.install { decide(it, """{"unsure_below": null, "thresholds": {$thresholds}}""") }
        val activity = phone.ready().get()
        phone.answered(activity, photo)
        assertTrue(phone.words(activity), "reaches its own threshold" in phone.words(activity))
    }

    @Test
    fun selfTestThatFails() {
        phone.installWith(Swapping(BitmapDecoder())) { it }
        draw(phone.startSelfTest().get(), "light-self-test-fail")
    }

    @Test
    fun missingModel() {
        phone.install { it.deleteRecursively() }
        draw(phone.ready().get(), "light-missing-model")
    }

    @Test
    fun colorsAreReadableInBothThemes() {
        for (theme in listOf("notnight", "night")) {
            RuntimeEnvironment.setQualifiers("+$theme")
            fun color(id: Int) = phone.app.resources.getColor(id, null)
            for (ground in listOf(R.color.page, R.color.panel)) {
                for (ink in listOf(R.color.ink, R.color.ink_soft, R.color.accent, R.color.trouble)) {
                    val ratio = contrast(color(ink), color(ground))
                    assertTrue("$theme: ${phone.app.resources.getResourceEntryName(ink)} $ratio", ratio >= 4.5)
                }
            }
            assertTrue(theme, contrast(color(R.color.on_accent), color(R.color.accent)) >= 4.5)
        }
    }

    private fun everyScreen(name: String) {
        val activity = phone.ready().get()
        draw(activity, "$name-empty")
        phone.answered(activity, photo)
        draw(activity, "$name-result")
        drawToTheEnd(activity, "$name-result-end")
        assertBarsSpeak(activity)
        assertReachable(activity)
        phone.answered(activity, photo.copyOf(photo.size / 2))
        draw(activity, "$name-broken-photo")
        val test = phone.startSelfTest().get()
        draw(test, "$name-self-test")
        assertReachable(test)
    }

    private fun draw(activity: Activity, name: String) {
        val root = activity.window.decorView
        root.measure(
            View.MeasureSpec.makeMeasureSpec(root.width, View.MeasureSpec.EXACTLY),
            View.MeasureSpec.makeMeasureSpec(root.height, View.MeasureSpec.EXACTLY),
        )
        root.layout(0, 0, root.width, root.height)
        val picture = Bitmap.createBitmap(root.width, root.height, Bitmap.Config.ARGB_8888)
        root.draw(Canvas(picture))
        val folder = File(checkNotNull(System.getProperty("screens")) { "run with -Dscreens=FOLDER" })
        File(folder, "$name.png").outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
        val colors = IntArray(root.width * root.height).also { picture.getPixels(it, 0, root.width, 0, 0, root.width, root.height) }
        assertTrue("$name is blank", colors.toSet().size > 50)
        assertTrue("the notice is not on $name", activity.findViewById<View>(R.id.notice).isShown)
    }

    /** Draws what is found by scrolling down; all text must find room. */
    private fun drawToTheEnd(activity: Activity, name: String) {
        val scroll = all(activity.findViewById(R.id.root)).filterIsInstance<ScrollView>().single()
        scroll.scrollTo(0, scroll.getChildAt(0).height)
        draw(activity, name)
        scroll.scrollTo(0, 0)
        for (text in all(scroll).filterIsInstance<TextView>().filter { it.isShown && it.text.isNotEmpty() }) {
            val layout = text.layout
            assertTrue("cut off: ${text.text}", layout.height + text.compoundPaddingTop + text.compoundPaddingBottom <= text.height)
            assertTrue("shortened: ${text.text}", (0 until layout.lineCount).all { layout.getEllipsisCount(it) == 0 })
            assertTrue("out of the screen: ${text.text}", text.width > 0 && text.right <= (text.parent as View).width)
        }
    }

    private fun assertBarsSpeak(activity: Activity) {
        val rows = phone.children(activity, R.id.bars)
        assertTrue(rows.isNotEmpty())
        for ((row, shown) in rows.zip(phone.bars(activity as MainActivity))) {
            assertTrue("${row.contentDescription}", row.contentDescription.matches(Regex("${Regex.escape(shown.first)}, .+ percent")))
        }
    }

    private fun assertReachable(activity: Activity) {
        val least = activity.resources.getDimensionPixelSize(R.dimen.touch)
        val content = activity.findViewById<ViewGroup>(R.id.root)
        val pressed = all(content).filter { it.isShown && (it is Button || it is ImageButton) }
        assertTrue(pressed.isNotEmpty())
        for (view in pressed) {
            assertTrue("${view.id} is ${view.width} x ${view.height}", view.width >= least && view.height >= least)
            assertTrue("a button without words", (view as? Button)?.text?.isNotEmpty() ?: !view.contentDescription.isNullOrEmpty())
        }
    }

    private fun all(view: View): List<View> =
        listOf(view) + ((view as? ViewGroup)?.let { group -> (0 until group.childCount).flatMap { all(group.getChildAt(it)) } }.orEmpty())

    private fun lastLabel() = phone.goldens.labels.last()

    private fun sayUnsure(folder: File) = decide(folder, """{"unsure_below": 0.999, "thresholds": {}}""")

    private fun decide(folder: File, decision: String) {
        val manifest = File(folder, "manifest.json")
        val text = manifest.readText().replace(Regex(""",\s*"decision": \{[^{}]*(\{[^{}]*\})?[^{}]*\}"""), "")
        manifest.writeText(text.trimEnd().removeSuffix("}") + ", \"decision\": $decision}")
        phone.seal(folder)
    }

    // WCAG 2.2: contrast ratio of relative luminances.
    private fun contrast(one: Int, other: Int): Double {
        val (dark, light) = listOf(luminance(one), luminance(other)).sorted()
        return (light + 0.05) / (dark + 0.05)
    }

    private fun luminance(color: Int): Double {
        fun part(shift: Int): Double {
            val value = (color shr shift and 0xff) / 255.0
            return if (value <= 0.04045) value / 12.92 else ((value + 0.055) / 1.055).pow(2.4)
        }
        return 0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
    }
}

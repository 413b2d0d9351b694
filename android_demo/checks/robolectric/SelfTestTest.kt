package pipeline.demo

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.view.View
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.OutputStream
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.GraphicsMode
import pipeline.core.Outcome

/** The self-test's screen: the goldens' verdict on this phone, and the recording's ways out. */
@RunWith(DemoRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class SelfTestTest {
    private val phone = Phone()

    @Test
    fun theInstalledModelPasses() {
        val activity = phone.startSelfTest().get()
        for (row in phone.children(activity, R.id.goldens)) println(row.contentDescription)
        assertEquals(phone.words(activity), activity.getString(R.string.passed), phone.headline(activity))
        assertEquals(phone.goldens.goldens.size, phone.children(activity, R.id.goldens).size)
        assertTrue(phone.text(activity, R.id.latency).contains("ms"))
        val report = report()
        assertEquals(Outcome.PASS, report.outcome)
        assertTrue("no golden was decoded exactly", report.results.any { it.decodedExactly })
    }

    private fun report() = (phone.app.selfTest.state.value as SelfTestState.Done).report
}

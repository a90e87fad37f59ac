# SPDX-License-Identifier: Apache-2.0
# bot.py - a Pipecat call that greets as the router says and tells how it went.
#
#     pip install pipecat-ai nats-py; put this and examples/python/voice.py beside your bot, and in its bot(runner_args), with your own services:
#     await play(transport, stt, llm, tts, call_id)       RL_NATS_URL, RL_NATS_PASSWORD_FILE; user and inbox prefix stand in voice.py
#
# call_id: runner_args.call_data.call_id of a telephone call (Twilio's callSid, ...), else runner_args.session_id.
# Every name was checked against the source of pipecat 1.7.0; it was not run with a real transport.
import time

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.llm_service import FunctionCallParams
from pipecat.workers.runner import WorkerRunner
from voice import Voice

async def play(transport, stt, llm, tts, call_id):
    voice, signals, call = Voice(), {"barge_in_count": 0}, {"live": False}
    choice = await voice.choose(call_id, "general")
    slots = choice["parameters"]

    async def note_outcome(params: FunctionCallParams, solved: bool, rating: int | None = None):
        """Call this when the caller says whether the problem is solved; rating: 1 (bad) to 5 (good), if the caller gave one."""
        signals["resolution"] = solved
        if rating: await voice.rated(call_id, rating)
        await params.result_callback("noted")

    context = LLMContext([{"role": "developer", "content": f"Ton: {slots['tone']}. Länge der Antworten: {slots['length']}."}], tools=[note_outcome])
    user, assistant = LLMContextAggregatorPair(context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()))
    worker = PipelineWorker(Pipeline([transport.input(), stt, user, llm, tts, transport.output(), assistant]))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)

    @worker.turn_tracking_observer.event_handler("on_turn_ended")
    async def on_turn_ended(observer, number, duration, was_interrupted):
        signals["barge_in_count"] += was_interrupted and call["live"]  # the hangup itself also ends a turn as interrupted

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport, client):
        call.update(live=True, started=time.time())
        await worker.queue_frames([TTSSpeakFrame(slots["greeting"])])

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport, client):
        call.update(live=False, ended=time.time())
        await runner.cancel()

    await runner.run()
    if "resolution" in signals:  # unknown is not false: a call of which nobody says how it went is not told
        signals["duration_sec"] = call.get("ended", time.time()) - call["started"]
        await voice.ended(call_id, choice["policy_variant"], **{**signals, "barge_in_count": min(10, signals["barge_in_count"])})

"""
What C{twist punch} finds of the chat: an instance.
"""

from punch_chat import ChatProtocol

chat = ChatProtocol()
